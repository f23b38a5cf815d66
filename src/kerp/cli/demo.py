"""`kerp demo`: a simulated participant and team drive the running web application as devices would."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import click

from kerp.base.errors import Fault, KerpError
from kerp.cli.output import echo_json, echo_table, json_option

if TYPE_CHECKING:
    from kerp.session.events import Entry
    from kerp.simulate.device import Device
    from kerp.simulate.live import LiveDesk
    from kerp.simulate.onlooker import Onlooker

ROLES = ("prescriber", "nurse", "therapist", "pharmacist", "coordinator")
_QUIET = frozenset({"suds", "urge", "felt_effect", "vitals", "moaas"})  # ratings are many; the page shows them


@dataclass
class Played:
    """What became of one session."""

    participant: str
    address: str
    entries: int = 0
    refusals: int = 0
    signed: bool = False
    fault: str = ""
    over: bool = False


@dataclass
class Company:
    """The team's devices at one server, shared by all its sessions, and what they do.

    `pages`: how many bedside pages are open at each session and look on.
    """

    url: str
    speed: int
    seed: int
    preparation_min: int
    tell: Callable[[str], None]
    devices: dict[str, Device] = field(default_factory=dict)
    played: list[Played] = field(default_factory=list)
    pages: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    onlookers: list[Onlooker] = field(default_factory=list)
    all_there_at: float = 0.0
    _next: int = 0
    _door: threading.Lock = field(default_factory=threading.Lock)

    def sign_in(self, password: str) -> None:
        """Every member of the team signs in once."""
        from kerp.simulate.device import Device

        for role in ROLES:
            self.devices[role] = Device(self.url, role, password, pause=self.wait)
            _reached(self.devices[role])

    def wait(self, seconds: float) -> None:
        """Let time pass; whoever waits when the demonstration ends goes home."""
        if self.ended.wait(seconds):
            raise _EndedError

    def play(self) -> None:
        """Register one participant and go through the day of the dose with them."""
        from kerp.protocol.load import load_protocol
        from kerp.simulate.course import hold_session
        from kerp.simulate.live import agreed_items, open_there

        with self._door:
            seed, self._next = self.seed + self._next, self._next + 1
            told = self.devices["coordinator"].post("/api/demonstration/participants", {"speed": self.speed}).data
        resolved = load_protocol(told["protocol"])
        plan = next(one for one in resolved.protocol.sessions if one.kind.startswith("dosing"))
        name = f"{plan.id}-1"
        mine = Played(told["participant"], f"{self.url}/bedside/{told['log']}/{name}/")
        self.played.append(mine)
        desk = self._desk(resolved, told, name, mine, seed)
        try:
            open_there(desk, plan.id)
            self.tell(f"{mine.participant}  {mine.address}")
            self._open_pages(desk.place.address(""), mine)
            items = agreed_items(desk.tablets["nurse"].get(desk.place.address("plan")))
            hold_session(resolved, seed, desk, plan, name, items=items, preparation_min=self.preparation_min)
        except KerpError as error:
            mine.fault = str(error)
        finally:
            mine.over = True
        mine.refusals = len(desk.refusals)

    def _open_pages(self, base: str, mine: Played) -> None:
        """The nurse's and the therapist's page, and so on in turns."""
        from kerp.simulate.onlooker import Onlooker

        for number in range(self.pages):
            device = self.devices[("nurse", "therapist")[number % 2]]
            page = Onlooker(device, base, lambda: mine.over or self.ended.is_set())
            self.onlookers.append(page)
            threading.Thread(target=_until_over, args=(page,), daemon=True).start()

    def _desk(self, resolved: Any, told: dict[str, Any], session: str, mine: Played, seed: int) -> LiveDesk:
        from kerp.base.seeds import Stream, generator
        from kerp.simulate.live import LiveDesk, Place, SessionClock

        pause = self.devices["nurse"].pause
        clock = SessionClock(told["now_ms"], told["speed"], pause=pause)
        # Ids of entries are made from this chance: two demonstrations at one server must not share them.
        unlike = int(told["log"].replace("-", "")[:12], 16)
        chance = generator(seed + unlike, Stream.PROCESS)

        def noted(entry: Entry) -> None:
            mine.entries += 1
            mine.signed = mine.signed or entry.event.type == "signature"
            if entry.event.type not in _QUIET:
                at_min = entry.recorded_ms / 60_000
                self.tell(f"{mine.participant}  {at_min:7.1f} min  {entry.role or '-':<11} {_said(entry)}")

        return LiveDesk(resolved, Place(told["log"], session), self.devices, clock, chance, noted)

    def took_s(self) -> list[float]:
        """Seconds from sending to acknowledgement, of what was sent when all sessions were there; sorted."""
        return self._since_all_were_there(one for device in self.devices.values() for one in device.took)

    def looked_s(self) -> list[float]:
        """Seconds until an open page knew how its session stands; sorted."""
        return self._since_all_were_there(one for page in self.onlookers for one in page.looks)

    def _since_all_were_there(self, measured: Iterable[tuple[float, float]]) -> list[float]:
        return sorted(seconds for begun, seconds in measured if begun >= self.all_there_at)


def _until_over(page: Onlooker) -> None:
    with suppress(_EndedError):
        page.look_on()


def _reached(device: Device) -> None:
    try:
        device.sign_in()
    except OSError as error:
        ways = ("start it with `kerp serve --demo --data-dir DIR`", "--url")
        raise KerpError(
            Fault(f"no server answers: {error.strerror or error}", where=device.url, ways_out=ways)
        ) from None


def _said(entry: Entry) -> str:
    return entry.event.type.replace("_", " ")


def _share(sorted_s: list[float], share: float) -> float | None:
    return round(sorted_s[min(len(sorted_s) - 1, int(share * len(sorted_s)))] * 1000, 1) if sorted_s else None


@click.command()
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="The running demonstration.")
@click.option(
    "--speed", default=10, show_default=True, type=click.IntRange(1, 1000), help="Session clock: times real."
)
@click.option("--sessions", default=1, show_default=True, type=click.IntRange(1, 500), help="Sessions at once.")
@click.option("--seed", default=1, show_default=True, help="Seed of the first participant; the next takes the next.")
@click.option("--preparation-min", default=6, show_default=True, type=click.IntRange(1, 120), help="Before minute 0.")
@click.option("--for-s", type=float, help="Stop after this many seconds, wherever the sessions are.")
@click.option("--over-s", default=0.0, help="Not all at the same moment: they begin over this many seconds.")
@click.option("--pages", default=0, type=click.IntRange(0, 10), help="Open bedside pages at each session.")
@click.option("--again", is_flag=True, help="When a session has ended, begin the next.")
@click.option("--password", default="demonstration", show_default=True, help="Of the demonstration's accounts.")
@json_option
def demo(
    url: str,
    speed: int,
    sessions: int,
    seed: int,
    preparation_min: int,
    for_s: float | None,
    over_s: float,
    pages: int,
    again: bool,
    password: str,
    as_json: bool,
) -> None:
    """A simulated participant and team, at a running web application (kerp serve --demo).

    They sign in as people do and send what devices send; the record says `demonstration`. The server's session
    clock of these participants runs at the speed. Open the address that is shown, and look on or take part.

    \b
    Example: kerp demo --speed 10
    Example: kerp demo --speed 10 --sessions 50 --over-s 60 --for-s 180 --pages 2 --json
    """  # noqa: D301  click reads the backspace
    tell = _nothing if as_json or sessions > 1 else click.echo
    company = Company(url.rstrip("/"), speed, seed, preparation_min, tell, pages=pages)
    company.sign_in(password)
    faults = _played(company, sessions, over_s / sessions, for_s, again=again)
    _report(company, as_json=as_json)
    if faults:
        raise KerpError(*faults)


def _nothing(text: str) -> None:
    del text


class _EndedError(Exception):
    """The time is over: whoever waits goes home."""


def _played(company: Company, sessions: int, apart_s: float, for_s: float | None, *, again: bool) -> list[Fault]:
    """Every session in a thread of its own, one after another, until all are over or the time is."""
    faults: list[Fault] = []
    until = None if for_s is None else time.monotonic() + for_s
    threads = [threading.Thread(target=_plays, args=(company, faults, again), daemon=True) for _ in range(sessions)]
    try:
        for number, thread in enumerate(threads):
            time.sleep(apart_s if number else 0)
            thread.start()
        company.all_there_at = time.perf_counter()
        while any(thread.is_alive() for thread in threads) and (until is None or time.monotonic() < until):
            time.sleep(0.2)
    finally:
        company.ended.set()
        for thread in threads:
            if thread.ident:
                thread.join(5)
    return faults + [Fault(one.fault, where=one.participant) for one in company.played if one.fault]


def _plays(company: Company, faults: list[Fault], again: bool) -> None:
    try:
        company.play()
        while again and not company.ended.is_set():
            company.play()
    except _EndedError:
        pass
    except KerpError as error:
        faults.extend(error.faults)


def _report(company: Company, *, as_json: bool) -> None:
    took, looked = company.took_s(), company.looked_s()
    summary = {
        "sent": len(took),
        "acknowledged_p50_ms": _share(took, 0.5),
        "acknowledged_p99_ms": _share(took, 0.99),
        "acknowledged_max_ms": _share(took, 1.0),
    }
    if looked:
        broken = sum(page.broken for page in company.onlookers)
        summary |= {"looks": len(looked), "looked_p99_ms": _share(looked, 0.99), "streams_broken": broken}
    if as_json:
        echo_json({"sessions": [asdict(one) for one in company.played]} | summary)
        return
    echo_table(
        ("participant", "entries", "refused", "signed"),
        [
            (one.participant, str(one.entries), str(one.refusals), "yes" if one.signed else "no")
            for one in company.played
        ],
    )
    click.echo(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in summary.items()))
