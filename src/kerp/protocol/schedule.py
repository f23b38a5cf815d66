"""A course of treatment as data: doses, exposure sessions, probes, metacognitive sessions, ratings, on one day axis.

Day 0 is the T0 of the first dose; where no drug is given, of the start of treatment, so that arms share a calendar.
Earlier events have negative days.
Sessions name the protocol they follow by id and digest: the shipped schedules pin every digest, and a schedule whose
protocol has changed is refused (`kerp.protocol.pins`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from kerp.base.data import ids, path_of
from kerp.base.elapsed import MIN_PER_DAY
from kerp.base.errors import Fault, KerpError, UnknownIdError
from kerp.base.textfile import read_text, write_atomic
from kerp.base.tomlfile import TomlDocument, dotted, read_toml
from kerp.evidence.sourced import Mark
from kerp.protocol.pins import TABLE, checked_pins, digests_of, pinned
from kerp.protocol.schedule_form import form_faults

FOLDER = "schedules"
ROUTES = ("iv_infusion", "nasal_spray")
AGENTS = ("ketamine", "esketamine", "midazolam", "saline")
_LONGEST_DAYS = 400.0
_LONGEST_SESSION_MIN = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDose:
    """One administration. Intravenous: mg/kg over minutes; nasal: devices of a fixed dose, a gap apart."""

    day: float
    agent: str
    route: str
    dose_mg_per_kg: float = 0.0
    duration_min: float = 0.0
    devices: int = 0
    device_mg: float = 0.0
    device_gap_min: float = 0.0
    protocol: str = ""
    source: str = ""
    mark: Mark = Mark.ASSUMED

    @property
    def minutes(self) -> float:
        """How long the administration takes."""
        return self.duration_min if self.route == "iv_infusion" else max(self.devices - 1, 0) * self.device_gap_min

    @property
    def active(self) -> bool:
        """Whether kerp models a drug effect: ketamine and esketamine do, midazolam and saline are inert here."""
        return self.agent in {"ketamine", "esketamine"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSession:
    """One exposure session (or a brief probe): start, length, intensity."""

    day: float
    minutes: float
    intensity: float = 1.0
    kind: str = "erp"  # erp | probe
    protocol: str = ""
    source: str = ""
    mark: Mark = Mark.ASSUMED

    @property
    def end_day(self) -> float:
        return self.day + self.minutes / MIN_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A course of treatment. `rating_days`: Y-BOCS visits; `vas_min`: minutes after each dose for the OCD-VAS."""

    id: str
    title: str
    idea: str
    claims: tuple[str, ...]
    follow_up_days: int
    doses: tuple[PlannedDose, ...] = ()
    sessions: tuple[PlannedSession, ...] = ()
    mct_days: tuple[float, ...] = ()
    rating_days: tuple[float, ...] = ()
    vas_min: tuple[float, ...] = ()
    same_contact_as: tuple[str, ...] = ()
    digests: Mapping[str, str] | None = None  # protocol id -> digest, once pinned or resolved

    @property
    def contact_h(self) -> float:
        """Hours of exposure sessions, probes included."""
        return sum(session.minutes for session in self.sessions) / 60.0

    @property
    def first_day(self) -> float:
        """The earliest event, at most 0."""
        return min([0.0, *(d.day for d in self.doses), *(s.day for s in self.sessions)])

    def protocols(self) -> tuple[str, ...]:
        """Ids of the protocols its doses and sessions follow."""
        named = [dose.protocol for dose in self.doses] + [session.protocol for session in self.sessions]
        return tuple(dict.fromkeys(name for name in named if name))

    def rating_valid(self, day: float, window_days: float = 7.0) -> bool:
        """Whether a Y-BOCS of that day rates a week without a dose in it (M1); on the dose day only before it."""
        return all(day <= dose.day or day >= dose.day + window_days for dose in self.doses if dose.active)


def schedule_ids() -> list[str]:
    """Ids of the shipped schedules."""
    return ids(FOLDER)


def load_schedule(id_or_path: str | Path) -> Schedule:
    """A shipped schedule by id, or a file; an unknown id is refused with the nearest ones."""
    text = str(id_or_path)
    if text.endswith(".toml"):
        return read_schedule(Path(text))
    if text not in schedule_ids():
        raise UnknownIdError("arm", text, schedule_ids())
    return read_schedule(path_of(FOLDER, text))


def read_schedule(path: Path, *, pins: bool = True) -> Schedule:
    """Read and check one file, its pinned digests too. Every fault is reported with its line; nothing is guessed."""
    return parse_schedule(read_toml(path), path.stem, pins=pins)


def resolved(schedule: Schedule) -> Schedule:
    """The same schedule with the digest of every protocol it refers to."""
    return replace(schedule, digests=digests_of(schedule.protocols()))


def parse_schedule(document: TomlDocument, identifier: str, *, pins: bool = True) -> Schedule:
    """A schedule from parsed TOML; `pins` False leaves the digests of its protocols unchecked."""
    if faults := form_faults(document):
        raise KerpError(*faults)
    reader = _Reader(document)
    data = document.data
    schedule = Schedule(
        id=identifier,
        title=reader.text(data, "title", ()),
        idea=reader.text(data, "idea", ()),
        claims=tuple(data.get("claims", ())),
        follow_up_days=int(reader.number(data.get("follow_up", {}), "days", ("follow_up",), 1, _LONGEST_DAYS)),
        doses=tuple(reader.doses(data.get("dose", []))),
        sessions=tuple(reader.sessions(data.get("session", []))),
        mct_days=reader.days(data.get("mct", {}), ("mct",)),
        rating_days=reader.days(data.get("ybocs", {}), ("ybocs",)),
        vas_min=reader.days(data.get("ocdvas", {}), ("ocdvas",), "at_min"),
        same_contact_as=tuple(data.get("same_contact_as", ())),
    )
    reader.finish(schedule)
    if pins and TABLE in data:
        return replace(schedule, digests=checked_pins(schedule.protocols(), data[TABLE], document))
    return schedule


def pin_file(path: Path) -> dict[str, str]:
    """Write the present digests into a schedule file (which must otherwise be sound) and return them."""
    digests = digests_of(read_schedule(path, pins=False).protocols())
    write_atomic(path, pinned(read_text(path), digests))
    return digests


class _Reader:
    """Collects every fault of a file instead of stopping at the first."""

    def __init__(self, document: TomlDocument) -> None:
        self.document = document
        self.faults: list[Fault] = []

    def fault(self, message: str, path: tuple[str | int, ...], found: str = "", allowed: str = "") -> None:
        line = self.document.line_of(path)
        self.faults.append(Fault(message, self.document.where, line, dotted(path), found, allowed))

    def text(self, table: Mapping[str, Any], key: str, path: tuple[str | int, ...]) -> str:
        value = table.get(key, "")
        if not isinstance(value, str) or not value:
            self.fault("this text is missing", (*path, key))
            return ""
        return value

    def number(
        self, table: Mapping[str, Any], key: str, path: tuple[str | int, ...], low: float, high: float
    ) -> float:
        value: Any = table.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        self.fault("this number is missing or out of range", (*path, key), str(value), f"{low:g} to {high:g}")
        return low

    def choice(
        self, table: Mapping[str, Any], key: str, path: tuple[str | int, ...], allowed: tuple[str, ...]
    ) -> str:
        value = table.get(key, "")
        if value not in allowed:
            self.fault("this is none of the choices", (*path, key), str(value), ", ".join(allowed))
            return allowed[0]
        return str(value)

    def days(self, table: Mapping[str, Any], path: tuple[str | int, ...], key: str = "days") -> tuple[float, ...]:
        numbers = enumerate(table.get(key, []))
        return tuple(sorted(self.number({str(k): v}, str(k), (*path, key), -_LONGEST_DAYS, 1e6) for k, v in numbers))

    def origin(self, table: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "protocol": table.get("protocol", ""),
            "source": table.get("source", ""),
            "mark": Mark(table.get("mark", "assumed")),
        }

    def doses(self, tables: list[dict[str, Any]]) -> Iterator[PlannedDose]:
        for index, table in enumerate(tables):
            path = ("dose", index)
            route = self.choice(table, "route", path, ROUTES)
            shape = self._infusion(table, path) if route == "iv_infusion" else self._spray(table, path)
            agent = self.choice(table, "agent", path, AGENTS)
            for day in self.days(table, path):
                yield PlannedDose(day=day, agent=agent, route=route, **shape, **self.origin(table))

    def _infusion(self, table: Mapping[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
        saline = table.get("agent") == "saline"
        dose = 0.0 if saline else self.number(table, "dose_mg_per_kg", path, 0.0, 5.0)
        return {"dose_mg_per_kg": dose, "duration_min": self.number(table, "duration_min", path, 1.0, 240.0)}

    def _spray(self, table: Mapping[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
        return {
            "devices": int(self.number(table, "devices", path, 1, 3)),
            "device_mg": self.number(table, "device_mg", path, 1.0, 100.0),
            "device_gap_min": self.number(table, "device_gap_min", path, 0.0, 60.0),
        }

    def sessions(self, tables: list[dict[str, Any]]) -> Iterator[PlannedSession]:
        for index, table in enumerate(tables):
            path = ("session", index)
            minutes = self.number(table, "length_min", path, 0.5, _LONGEST_SESSION_MIN)
            intensity = (
                self.number(table, "intensity_fraction", path, 0.0, 1.0) if "intensity_fraction" in table else 1.0
            )
            kind = self.choice({"kind": table.get("kind", "erp")}, "kind", path, ("erp", "probe"))
            for day in self.days(table, path):
                yield PlannedSession(day=day, minutes=minutes, intensity=intensity, kind=kind, **self.origin(table))

    def finish(self, schedule: Schedule) -> None:
        """Checks across the whole file: overlaps, events after the end; then raise what was found."""
        self._overlaps("session", [(s.day, s.end_day) for s in schedule.sessions], "two exposure sessions overlap")
        spans = [(d.day, d.day + d.minutes / MIN_PER_DAY) for d in schedule.doses]
        self._overlaps("dose", spans, "a dose starts before the one before it has ended")
        planned = {"session": [s.end_day for s in schedule.sessions], "dose": [end for _, end in spans]}
        planned |= {"mct": list(schedule.mct_days), "ybocs": list(schedule.rating_days)}
        for kind, ends in planned.items():
            if ends and max(ends) > schedule.follow_up_days:
                self.fault(
                    "an event lies after the end of follow-up",
                    (kind,),
                    f"day {max(ends):g}",
                    f"{schedule.follow_up_days}",
                )
        if self.faults:
            raise KerpError(*self.faults)

    def _overlaps(self, kind: str, spans: list[tuple[float, float]], message: str) -> None:
        ordered = sorted(spans)
        for (start, end), (following, _) in pairwise(ordered):
            if following < end - 1e-9 or following == start:
                self.fault(message, (kind,), f"day {start:g} to {end:g} and day {following:g}", "one at a time")
