"""The real outbox in a real browser, on a network that loses, doubles and reorders, on devices that are reloaded and
killed and whose clocks are set, with a server that is killed: every acknowledged entry is in the record, once.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from bad_network import BadNetwork
from playwright.sync_api import Error

from system_browser import ARGUMENTS, CHROMIUM

HERE = Path(__file__).parent

OFF_MS = 2_000  # the limit of the product: a device whose clock is off by more is flagged
SLACK_MS = 3_000  # half the time an answer takes on a machine with much else to do: by so much a page may be wrong
TABS = 2
ENTRIES = (2, 4)  # made in one go on each tab
# What happens on one tablet in one wave of sessions; the two that cost most happen in some waves.
ALWAYS = ("reload", "tab killed", "no contact", "clock set", "reload", "no contact")
SOMETIMES = ("browser killed", "server killed")

# The device's wall clock is what the test says it is; the one that only counts on is not touched.
SET_CLOCK = """(() => {
  const Real = Date;
  globalThis.realNow = () => Real.now();
  globalThis.setClock = (ms) => { localStorage.setItem("test-clock", ms); globalThis.movedMs = ms; };
  try { globalThis.movedMs = Number(localStorage.getItem("test-clock") ?? 0); } catch { globalThis.movedMs = 0; }
  const now = () => Real.now() + globalThis.movedMs;
  globalThis.Date = class extends Real {
    constructor(...given) { if (given.length) super(...given); else super(now()); }
    static now() { return now(); }
  };
})()"""
# Entries as the buttons make them; what was kept and what was acknowledged is told to the test.
ENTER = """(made) => {
  const app = globalThis.kerp;
  if (!globalThis.watched) {
    globalThis.watched = true;
    app.outbox.addEventListener("acknowledged", ({ detail: { entry, outcome } }) =>
      told("acknowledged", entry.id, outcome.result));
  }
  (async () => {
    for (const { id, event, wait_ms } of made) {
      const at = realNow();
      if (await app.record(event, { id })) told("kept", id, at);
      await new Promise((resolve) => setTimeout(resolve, wait_ms));
    }
  })();
}"""
READY = "Boolean(globalThis.kerp?.outbox.key && globalThis.kerp.clock.known && globalThis.kerp.status)"


@dataclass
class Told:
    """What the pages said, whatever became of them afterwards."""

    attempted: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)  # entry -> when, by the clock of this machine
    acknowledged: dict[str, str] = field(default_factory=dict)

    def hear(self, _source: Any, what: str, identifier: str, more: Any) -> None:
        (self.kept if what == "kept" else self.acknowledged)[identifier] = more


class Study:
    """An installation with many opened sessions."""

    def __init__(self, sessions: int, served_class: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kerp-faults-"))
        made = program(self.folder, "make", str(sessions))
        self.logs: list[str] = made["logs"]
        self.served = served_class(self.folder, self.logs, made["password"])
        self.served.start()
        self.restarting: threading.Thread | None = None

    def kill_server(self) -> None:
        """kill -9 while entries are on their way; it comes back by itself."""
        self.running_again()
        self.served.kill()
        self.restarting = threading.Thread(target=self.served.start)
        self.restarting.start()

    def running_again(self) -> None:
        if self.restarting:
            self.restarting.join()

    def close(self) -> None:
        self.running_again()
        self.served.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def program(data: Path, *what: str, **environment: str) -> Any:
    command = [sys.executable, str(HERE / "fault_study.py"), *what]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERP_", "DJANGO_"))}
    done = subprocess.run(
        command, env=kept | {"KERP_DATA_DIR": str(data)} | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def until_ready(page: Any) -> None:
    """Until somebody could enter something on this page."""
    until = time.monotonic() + 90
    while not page.evaluate(READY):
        assert time.monotonic() < until, page.inner_text("body")[:300]
        time.sleep(0.05)


class Tablet:
    """One device: a browser with its own folder, some tabs, a network of its own, somebody signed in."""

    def __init__(self, playing: Any, study: Study, role: str, seed: int, told: Told) -> None:
        self.playing, self.study, self.role, self.told = playing, study, role, told
        self.network = BadNetwork(study.served.port, seed)
        self.folder = Path(tempfile.mkdtemp(prefix="kerp-tablet-"))
        self.at: list[str] = []
        self.launch()

    def launch(self) -> None:
        self.network.heal()
        self.study.running_again()
        self.context = self.playing.chromium.launch_persistent_context(
            str(self.folder), executable_path=CHROMIUM, args=ARGUMENTS, base_url=self.network.url
        )
        self.context.set_default_timeout(30_000)
        self.context.expose_binding("told", self.told.hear)
        self.context.add_init_script(SET_CLOCK)
        page = self.context.pages[0]
        page.goto("/account/login/")
        if "/account/login" in page.url:  # a killed browser may or may not still know who was signed in
            page.fill("input[name=login]", self.role)
            page.fill("input[name=password]", self.study.served.password)
            page.press("input[name=password]", "Enter")
            page.wait_for_url(lambda url: "/account/login" not in url)
        self.tabs = [page] + [self.context.new_page() for _ in range(TABS - 1)]

    def open(self, logs: list[str]) -> None:
        """Every tab goes on to another session; what waits of the last one is sent from there."""
        self.at = logs
        for tab in range(len(logs)):
            self._to(tab)
        self.network.bad = True

    def _to(self, tab: int) -> None:
        page, address = self.tabs[tab], f"/bedside/{self.at[tab]}/dosing-1/"
        for _ in range(150):  # a server that was killed takes its time to come back
            try:
                page.goto(address)
                until_ready(page)
                return
            except Error as error:
                if "ERR_" not in str(error):
                    raise
                time.sleep(0.2)
        raise AssertionError(f"the page did not open: {address}")

    def enter(self, chance: np.random.Generator) -> None:
        for page in self.tabs:
            made = [drawn(chance) for _ in range(chance.integers(*ENTRIES, endpoint=True))]
            for one in made:
                self.told.attempted[one["id"]] = one["event"]
            page.evaluate(ENTER, made)

    # --- what happens to a tablet ---

    def suffer(self, what: str, chance: np.random.Generator) -> None:
        tab = int(chance.integers(len(self.tabs)))
        if what == "reload":
            self.tabs[tab].reload()
            until_ready(self.tabs[tab])
        elif what == "tab killed":
            self.tabs[tab].close()
            self.tabs[tab] = self.context.new_page()
            self._to(tab)
        elif what == "no contact":
            self.network.down()
            threading.Timer(float(chance.uniform(0.4, 2.5)), self.network.up).start()
        elif what == "clock set":
            moved = int(chance.choice([0, -7_200_000, -40_000, 15_000, 3_600_000]))
            for page in self.tabs:
                page.evaluate("(ms) => setClock(ms)", moved)
        elif what == "server killed":
            self.study.kill_server()
        elif what == "browser killed":
            self.kill()
            self.launch()
            self.open(self.at)

    def kill(self) -> None:
        named = ["pgrep", "-f", f"user-data-dir={self.folder}"]
        found = subprocess.run(named, capture_output=True, text=True, check=False)
        subprocess.run(["kill", "-9", *found.stdout.split()], check=False, capture_output=True)
        with contextlib.suppress(Error):  # it is gone already
            self.context.close()

    def drained(self) -> None:
        """Until nothing waits, in the eyes of the page and on the disk."""
        self.network.heal()
        waits = """async () => globalThis.kerp.writing + globalThis.kerp.outbox.count + globalThis.kerp.outbox.foreign
          + (await (await import('/static/bedside/store.js')).all('outbox')).length"""
        until = time.monotonic() + 180
        while left := [n for page in self.tabs if (n := page.evaluate(waits))]:
            assert time.monotonic() < until, (left, self.network.befell)
            time.sleep(0.1)
        for page in self.tabs:
            page.wait_for_selector('.b-badge[data-state="saved"]')
            assert page.evaluate("globalThis.kerp.outbox.aside.length") == 0

    def close(self) -> None:
        self.context.close()
        self.network.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def drawn(chance: np.random.Generator) -> dict[str, Any]:
    """One act of somebody at the bedside."""
    tens = int(chance.integers(0, 11))
    event = [
        {"type": "suds", "value": tens * 10},
        {"type": "urge", "value": tens * 10},
        {"type": "felt_effect", "value": tens},
        {"type": "sedation", "moaas": min(tens, 5)},
        {"type": "vitals", "systolic_mmhg": 110 + tens, "diastolic_mmhg": 70 + tens, "spo2_pct": 90 + tens},
        {"type": "coaching", "what": "stay_with_it"},
        {"type": "ritual", "kind": "mental", "judged_by": "therapist"},
    ][int(chance.integers(7))]
    identifier = str(uuid.UUID(bytes=chance.bytes(16), version=4))
    return {"id": identifier, "event": event, "wait_ms": int(chance.integers(0, 250))}


def faulty_sessions(playing: Any, served_class: Any, sessions: int, seed: int) -> tuple[Any, Told, list[BadNetwork]]:
    """Run so many sessions, some at a time on two tablets; what the server holds then, and what the pages said."""
    chance, told = np.random.default_rng(seed), Told()
    study = Study(sessions, served_class)
    tablets = [Tablet(playing, study, role, seed + n, told) for n, role in enumerate(("nurse", "therapist"))]
    try:
        at_once = TABS * len(tablets)
        for wave, first in enumerate(range(0, sessions, at_once)):
            for n, tablet in enumerate(tablets):
                tablet.open(study.logs[first + n * TABS : first + (n + 1) * TABS])
            one_wave(tablets, chance, SOMETIMES[wave % len(SOMETIMES)])
        study.running_again()
        for tablet in tablets:
            tablet.drained()
        return program(study.folder, "tell"), told, [tablet.network for tablet in tablets]
    finally:
        for tablet in tablets:
            tablet.close()
        study.close()


def one_wave(tablets: list[Tablet], chance: np.random.Generator, rare: str) -> None:
    acts = [[*chance.permutation([*ALWAYS, rare][: len(ALWAYS) + (n == 0)])] for n in range(len(tablets))]
    for step in range(len(ALWAYS) + 1):
        for tablet in tablets:
            tablet.enter(chance)
        for tablet, mine in zip(tablets, acts, strict=True):
            if step < len(mine):
                tablet.suffer(str(mine[step]), chance)


# --- what must hold ---


def assert_every_entry_once(logs: list[dict[str, Any]], told: Told) -> None:
    stored = [(log, record) for log in logs for record in log["records"]]
    found = [record["id"] for _, record in stored]
    assert len(found) == len(set(found)), "an entry is in the record twice"
    here = {record["id"]: record for _, record in stored if record["id"] in told.attempted}
    assert not set(told.acknowledged) - set(here), "an acknowledged entry was lost"
    assert not set(told.kept) - set(here), "an entry that was kept on the device was lost"
    from_devices = [record for _, record in stored if record["session"] and record["device"]]
    assert {record["id"] for record in from_devices} == set(here), "something is there that nobody entered"
    for identifier, record in here.items():
        meant = told.attempted[identifier]
        assert {name: record["event"][name] for name in meant} == meant
    assert set(told.acknowledged.values()) <= {"stored", "known"}
    assert not [flag for log in logs for flag in log["flags"] if flag[0] == "same_id_other_content"]


def assert_minutes_right_or_marked(logs: list[dict[str, Any]], told: Told) -> None:
    """An entry whose time is off by more than the limit carries that its device's clock was off."""
    wrong = []
    for log in logs:
        opened_ms = datetime.fromisoformat(log["opened_at"]).timestamp() * 1000
        for record in log["records"]:
            if record["id"] not in told.kept or abs(record["clock_offset_ms"]) > OFF_MS:
                continue
            off = opened_ms + record["occurred_ms"] - told.kept[record["id"]]
            if abs(off) > OFF_MS + SLACK_MS:
                wrong.append((record["id"], round(off), record["clock_offset_ms"], record["queued"]))
    assert wrong == []


def copied_to_postgresql(logs: list[dict[str, Any]], url: str) -> list[dict[str, Any]]:
    """The same records through the writing door of the other engine, in a database of their own."""
    folder, name = Path(tempfile.mkdtemp(prefix="kerp-copy-")), f"faults_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        for database in (name, f"{name}_a"):
            connection.execute(f'CREATE DATABASE "{database}"')
    addresses = {
        "KERP_DATABASE_URL": url.replace("/kerp?", f"/{name}?"),
        "KERP_ALLOCATION_DATABASE_URL": url.replace("/kerp?", f"/{name}_a?"),
    }
    try:
        (folder / "told.json").write_text(json.dumps(logs))
        return program(folder, "copy", str(folder / "told.json"), **addresses)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def assert_same_on_postgresql(logs: list[dict[str, Any]], url: str) -> None:
    """Same chain, same replay."""
    copied = copied_to_postgresql(logs, url)
    for here, there in zip(logs, copied, strict=True):
        assert (here["head"], here["state"]) == (there["head"], there["state"])
        assert here["records"] == there["records"]
        assert here["head"] == here["exported_head"]


def assert_something_befell(networks: list[BadNetwork], told: Told, sessions: int) -> None:
    befell = sum((network.befell for network in networks), start=type(networks[0].befell)())
    assert {"lost", "answer lost", "doubled", "held", "overtaken", "refused", "down"} <= set(befell), befell
    assert len(told.attempted) > 10 * sessions
    assert len(told.kept) > 0.6 * len(
        told.attempted
    )  # a reload ends what a page was about to enter; a slow one sooner


def prove(playing: Any, served_class: Any, postgres_url: str, sessions: int, seed: int) -> None:
    logs, told, networks = faulty_sessions(playing, served_class, sessions, seed)
    assert len(logs) == sessions
    assert_something_befell(networks, told, sessions)
    assert_every_entry_once(logs, told)
    assert_minutes_right_or_marked(logs, told)
    assert_same_on_postgresql(logs, postgres_url)


@pytest.mark.timeout(900)  # a minute where the machine does nothing else
def test_twenty_sessions_with_every_fault_lose_nothing_double_nothing_and_replay_alike_on_both_engines(
    playing, served_class, postgres_url
):
    prove(playing, served_class, postgres_url, sessions=20, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_two_hundred_sessions_with_every_fault_lose_and_double_nothing(playing, served_class, postgres_url):
    prove(playing, served_class, postgres_url, sessions=200, seed=20)
