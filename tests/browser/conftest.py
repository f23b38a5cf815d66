"""Browser tests: a real `kerp serve` in a process of its own, and the system's Chromium."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from system_browser import ARGUMENTS, CHROMIUM

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # steps.py is shared by several test files
SHOTS = HERE.parents[1] / "out" / "screens"
TABLET, PHONE, DESK = (768, 1024), (390, 844), (1280, 800)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@dataclass
class Served:
    """A working installation."""

    data: Path
    logs: list[str]
    password: str
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None
    people: list[Person] = field(default_factory=list)
    moved_ms: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._move(self.moved_ms)
        environment = os.environ | {
            "KERP_DEMO": "1",
            "KERP_DATA_DIR": str(self.data),
            "KERP_TEST_CLOCK": str(self._clock),
            "KERP_IDLE_MIN": "100000",  # a test moves the clock over days within one sign-in
            "KERP_SESSION_MAX_H": "100000",
        }
        command = [
            sys.executable,
            str(HERE / "serving.py"),
            "serve",
            "--port",
            str(self.port),
            "--data-dir",
            str(self.data),
        ]
        with (self.data / "served.txt").open("ab") as out:
            self.process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        self.wait()

    # --- the clock, of the server and of every open page ---

    @property
    def _clock(self) -> Path:
        return self.data / "clock.txt"

    def _move(self, to_ms: int) -> None:
        self.moved_ms = to_ms
        beside = self._clock.with_suffix(".new")
        beside.write_text(str(to_ms))
        beside.replace(self._clock)

    def now(self, zone: str = "Europe/Paris") -> datetime:
        """What the clock on the wall of the study site shows."""
        real_s = time.time()  # noqa: TID251  the clock of the machine the server runs on
        return datetime.fromtimestamp(real_s + self.moved_ms / 1000, ZoneInfo(zone))

    def later(self, minutes: float) -> None:
        """Let so many minutes pass at once, for everybody."""
        self._move(self.moved_ms + round(minutes * 60_000))
        for one in self.people:
            one.keep_time()

    def at(self, weekday: int, hour: int, minute: int = 0) -> None:
        """Go on to the next such weekday (0 Monday) and time at the site; no time passes when it is that minute."""
        now = self.now()
        wanted = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        wanted += timedelta(days=(weekday - now.weekday()) % 7)
        if wanted < now:
            wanted += timedelta(days=7)
        self.later((wanted - now).total_seconds() / 60)

    def screen(self, browser):
        """A page of a device of its own, which nobody signs in to, with this installation's time."""
        context = browser.new_context(viewport={"width": 1280, "height": 720}, base_url=self.url)
        context.add_init_script(f"globalThis.movedMs = {self.moved_ms};")
        context.add_init_script(MOVED)
        return context.new_page()

    def log(self, name: str) -> str:
        """The participant's log that a test has for itself."""
        return self.logs[list(SPEEDS).index(name)]

    def wait(self) -> None:
        for _ in range(900):
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError((self.data / "served.txt").read_text()[-3000:])

    def kill(self, how: int = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(20)

    def restart(self) -> None:
        self.kill()
        self.start()


def seeded(speeds: str, protocol: str = "bottemanne2021-iv") -> Served:
    """An installation with one participant for each speed of the session clock."""
    folder = Path(tempfile.mkdtemp(prefix="kerp-browser-"))
    command = [sys.executable, str(HERE / "seed.py"), str(folder), speeds, protocol]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-3000:]
    told = json.loads(made.stdout.strip().splitlines()[-1])
    return Served(folder, told["logs"], told["password"])


# One participant for each test, by name: `served.log("offline")`.
SPEEDS = {
    "infusion": 1,
    "offline": 1,
    "killed": 1,
    "restart": 1,
    "two": 1,
    "stop": 1,
    "screens": 30,
    "axe": 30,
    "faults": 1,
    "late": 1,
    "lock": 1,
    "anxiety": 1,
    "everywhere-390": 1,
    "everywhere-768": 1,
    "ten": 1,
    "clock": 1,
    "kept": 1,
    "sound": 1,
    "film": 1,
    "numbers": 1,
    "told": 1,
    "locks": 1,
    "turned": 1,
    "idle": 1,
    "asked": 1,
    "asked-in-vain": 1,
}


@pytest.fixture(scope="session")
def served():
    """The installation that all browser tests share."""
    running = seeded(",".join(map(str, SPEEDS.values())))
    running.start()
    yield running
    running.kill(signal.SIGTERM)
    shutil.rmtree(running.data, ignore_errors=True)


@pytest.fixture(scope="session")
def served_class():
    """For tests with an installation of their own."""
    return Served


@pytest.fixture(scope="session")
def chromium(playing):
    browser = playing.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


# Time that passes for the server passes for the device too, on both of its clocks: `later()`. Besides, somebody may
# set the clock on the device's wall: `Person.set_clock()`; it stays set when the page is opened again.
MOVED = """(() => {
  const Real = Date, counted = performance.now.bind(performance);
  let set = 0;
  try { set = Number(localStorage.getItem("test-clock") ?? 0); } catch { /* no page yet */ }
  globalThis.setClock = (ms) => { localStorage.setItem("test-clock", ms); set = ms; };
  globalThis.movedMs ??= 0;
  const now = () => Real.now() + globalThis.movedMs + set;
  performance.now = () => counted() + globalThis.movedMs;
  globalThis.Date = class extends Real {
    constructor(...given) { if (given.length) super(...given); else super(now()); }
    static now() { return now(); }
  };
})()"""


class Person:
    """One signed-in browser."""

    def __init__(
        self, browser, served: Served, role: str, size=TABLET, context=None, *, offline: bool = False
    ) -> None:
        self.served = served
        self.context = context or browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            base_url=served.url,
            reduced_motion="reduce",
            has_touch=True,
        )
        self.context.add_init_script(f"globalThis.movedMs = {served.moved_ms};")
        self.context.add_init_script(MOVED)
        served.people.append(self)
        self.page = self.context.pages[0] if self.context.pages else self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.faults: list[str] = []
        self.foreign: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on(
            "console",
            lambda message: (
                self.faults.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text
                else None
            ),
        )
        self.page.on(
            "request",
            lambda request: (
                None if request.url.startswith((served.url, "data:", "blob:")) else self.foreign.append(request.url)
            ),
        )
        self.role = role
        self.context.set_offline(offline)
        if not offline:
            self.page.goto("/account/login/")
            self.sign_in()

    def sign_in(self) -> None:
        """Unless this browser still knows who was signed in."""
        if "/account/login" in self.page.url:
            self.page.fill("input[name=login]", self.role)
            self.page.fill("input[name=password]", self.served.password)
            self.page.press("input[name=password]", "Enter")
            self.page.wait_for_url(lambda url: "/account/login" not in url)

    def keep_time(self) -> None:
        """Take over the moved clock, on the open page and on those that come."""
        self.context.add_init_script(f"globalThis.movedMs = {self.served.moved_ms};")
        self.page.evaluate(
            """async (ms) => { globalThis.movedMs = ms; if (globalThis.kerp) {
              globalThis.kerp.lock.touched = performance.now();  // somebody is there all the time
              await globalThis.kerp.refresh(); await globalThis.kerp.measure(); } }""",
            self.served.moved_ms,
        )

    def set_clock(self, off_ms: int) -> None:
        """Somebody sets the clock of this device, and nobody tells kerp."""
        self.page.evaluate("(ms) => globalThis.setClock(ms)", off_ms)

    def leave(self) -> None:
        """Close the browser; a second time changes nothing."""
        if self in self.served.people:
            self.served.people.remove(self)
            self.context.close()

    def open(self, log: str, plan: str = "dosing") -> None:
        """Open a session in the office, and with it the bedside page."""
        self.page.goto(f"/bedside/{log}/open/")
        self.page.check(f"input[name=plan][value={plan}]")
        self.page.click("main button.primary")
        self.ready()

    def bedside(self, log: str, session: str = "dosing-1") -> None:
        self.page.goto(f"/bedside/{log}/{session}/")
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector("#head:not([hidden]) .b-clock")

    def tap(self, key: str) -> None:
        self.page.click(f'[data-key="{key}"]')

    def dialog(self, key: str) -> None:
        """Open a form by its button."""
        self.tap(key)
        self.page.wait_for_selector("dialog[open]")

    def tab(self, name: str) -> None:
        self.tap(f"tab-{name}")

    def saved(self, timeout_s: float = 60) -> None:
        """Until everything that was entered here has been acknowledged."""
        until = time.monotonic() + timeout_s
        while self.waiting() and time.monotonic() < until:
            time.sleep(0.05)
        assert self.waiting() == 0, self.faults
        self.page.wait_for_selector('.b-badge[data-state="saved"]')

    def waiting(self) -> int:
        return self.page.evaluate("globalThis.kerp.outbox.count + globalThis.kerp.writing")

    def status(self) -> dict:
        return self.page.evaluate("async () => (await globalThis.kerp.api.get('status')).data")

    def entries(self) -> list[dict]:
        return self.page.evaluate("async () => (await globalThis.kerp.api.get('entries')).data.entries")

    def slack_s(self) -> float:
        """By how much things may take longer than on a machine that does nothing else: as questions to the server do.

        One is answered in a hundredth of a second where the machine is idle.
        """
        ask = """async () => { const asked = performance.now(); await globalThis.kerp.api.get("status");
          return (performance.now() - asked) / 1000; }"""
        return 6 * max(self.page.evaluate(ask) for _ in range(3))

    def shot(self, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        size = self.page.viewport_size
        self.page.screenshot(path=str(SHOTS / f"{name}-{size['width']}x{size['height']}.png"))


@pytest.fixture
def person(chromium):
    """`person(served, "nurse")`."""
    yield from people(chromium)


@pytest.fixture(scope="module")
def person_of_module(chromium):
    """`person`, for tests that each go on from the last."""
    yield from people(chromium)


def people(chromium):
    made = []

    def sign_in(served: Served, role: str, size=TABLET, **more) -> Person:
        one = Person(chromium, served, role, size, **more)
        made.append(one)
        return one

    yield sign_in
    for one in made:
        one.leave()


@pytest.fixture
def killable(served, playing, tmp_path):
    """`killable()`: a browser with its own folder on disk; `killable.kill()`; and it can be opened again."""

    def launch():
        return playing.chromium.launch_persistent_context(
            str(tmp_path),
            executable_path=CHROMIUM,
            args=ARGUMENTS,
            base_url=served.url,
            viewport={"width": 768, "height": 1024},
        )

    def kill():
        found = subprocess.run(
            ["pgrep", "-f", f"user-data-dir={tmp_path}"], capture_output=True, text=True, check=False
        )
        for number in found.stdout.split():
            subprocess.run(["kill", "-9", number], check=False)
        served.people[:] = known  # killed browsers keep no time

    known = list(served.people)
    launch.kill = kill
    launch.person = lambda role, **more: Person(None, served, role, context=launch(), **more)
    yield launch
    served.people[:] = known  # killed browsers keep no time
