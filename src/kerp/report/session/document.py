"""The whole report of a course as one page. The same log gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerp.base.errors import UnknownIdError
from kerp.base.textfile import write_atomic
from kerp.records.course import Course
from kerp.records.history import AdviceSpan, advice_history
from kerp.records.logfile import Log
from kerp.records.replay import differences, replay
from kerp.report.page import Block, Facts, Page, Section, Subhead, Table, Text, render
from kerp.report.session.conduct_tables import (
    adverse_events_table,
    advice_table,
    blocks_table,
    doses_table,
    falls_table,
    medication_table,
    sessions_table,
)
from kerp.report.session.drug import DrugPicture, drug_picture
from kerp.report.session.evidence import evidence_sections, used_parts
from kerp.report.session.frame import span_of
from kerp.report.session.in_short import in_short
from kerp.report.session.record_tables import (
    corrections_table,
    deviations_table,
    flags_table,
    late_table,
    missing_table,
    signatures_table,
    visits_table,
)
from kerp.report.session.score_tables import Rated, before_and_after, outcome_tables, rated_of, scores_table
from kerp.report.session.timeline import time_line
from kerp.session.events import Origin, Signature
from kerp.session.view import View

_MADE_UP = {Origin.SIMULATED: "simulated participant", Origin.DEMONSTRATION: "demonstration"}


@dataclass(frozen=True)
class Reading:
    """A log read once for the report."""

    log: Log
    course: Course
    spans: tuple[AdviceSpan, ...]
    pictures: tuple[tuple[View, DrugPicture], ...]  # of every session with a minute 0
    rated: tuple[Rated, ...]
    free_text: bool


def read_for_report(log: Log, *, free_text: bool = False) -> Reading:
    """Everything the page needs. Free text stays in the log unless it is asked for (M22)."""
    course = replay(log)
    timed = [view for view in course.views if view.t0_ms is not None]
    pictures = tuple((view, drug_picture(view, span_of(view)[1])) for view in timed)
    return Reading(log, course, advice_history(course), pictures, rated_of(course), free_text)


def session_page(reading: Reading) -> Page:
    """The report as blocks."""
    course = reading.course
    subtitle = f"{course.protocol.title} ({course.protocol.id}, version {course.protocol.version})"
    return Page(
        title=f"Session report: {course.participant}",
        subtitle=subtitle,
        sections=tuple(_sections(reading)),
        badges=tuple(_badges(course)),
        running_title=f"kerp session report · {course.participant} · {short(course.opened.protocol_digest)}",
    )


def session_report(log: Log, *, free_text: bool = False) -> str:
    """The report as one HTML file."""
    return render(session_page(read_for_report(log, free_text=free_text)))


def write_session_report(log: Log, path: Path | str, *, free_text: bool = False) -> Page:
    """Write the report; the old file stays whole until the new one is."""
    page = session_page(read_for_report(log, free_text=free_text))
    write_atomic(path, render(page))
    return page


def time_line_svg(log: Log, session: str = "") -> str:
    """The time line of one session (the first with a minute 0 unless named) as an SVG file that stands alone."""
    reading = read_for_report(log)
    timed = {view.record.id: (view, picture) for view, picture in reading.pictures}
    if not timed or (session and session not in timed):
        raise UnknownIdError("session with a minute 0", session, list(timed))
    view, picture = timed[session or next(iter(timed))]
    return time_line(view, reading.spans, picture, "t").svg


def short(digest: str) -> str:
    """The first twelve digits of a digest, for running titles."""
    return digest.removeprefix("sha256:")[:12]


def _badges(course: Course) -> Iterator[str]:
    if course.opened.origin in _MADE_UP:
        yield _MADE_UP[course.opened.origin]
    if course.protocol.blinded:
        yield "blinded"
    if not course.state.everywhere(Signature):
        yield "unsigned"


def _sections(reading: Reading) -> Iterator[Section]:
    course = reading.course
    short: tuple[Block, ...] = (
        *in_short(course, reading.spans, reading.rated),
        sessions_table(course),
        *_mended(reading.log),
    )
    yield Section("short", "In short", short)
    yield from _time_lines(reading)
    yield Section("conduct", "Dose and exposure", _conduct(reading))
    yield Section(
        "advice", "Advice and decisions", (advice_table(course, reading.spans, free_text=reading.free_text),)
    )
    yield Section("scores", "Scores and outcome", _scores(reading))
    yield Section("harms", "Harms and medication", (adverse_events_table(course), medication_table(course)))
    yield Section("record", "The record", _record(reading))
    parts = used_parts(course, reading.rated, [picture for _, picture in reading.pictures])
    yield from evidence_sections(parts, reading.rated)


def _mended(log: Log) -> tuple[Text, ...]:
    return tuple(Text(note, "warning") for note in differences(log))


def _time_lines(reading: Reading) -> Iterator[Section]:
    """One section for each session with a minute 0; the first one carries the name people look for."""
    titles = {plan.id: plan.title for plan in reading.course.protocol.sessions}
    for index, (view, picture) in enumerate(reading.pictures):
        figure = time_line(view, reading.spans, picture, f"t{index + 1}")
        title = f"Time line: {titles.get(view.record.plan_id, view.record.plan_id).lower()}"
        yield Section(f"time-line-{index + 1}", title, (figure, *_unexplained(picture)))


def _unexplained(picture: DrugPicture) -> tuple[Text, ...]:
    """A rating the forecast could not explain is said out loud."""
    last = picture.forecasts[-1].forecast if picture.forecasts else None
    if last is None or last.explained:
        return ()
    return (Text(f"Forecast: {last.statement}", "warning"),)


def _conduct(reading: Reading) -> tuple[Block, ...]:
    course = reading.course
    return doses_table(course), blocks_table(course), falls_table(course)


def _scores(reading: Reading) -> tuple[Table | Text, ...]:
    course, rated = reading.course, reading.rated
    unknown = (
        "An outcome cannot be determined where a CGI, a duration or an earlier state is not in the log; nothing is "
        "guessed. Every published definition is evaluated, so that no one is chosen afterwards (M14)."
    )
    return before_and_after(course, rated), scores_table(rated), Text(unknown), *outcome_tables(course, rated)


def _record(reading: Reading) -> tuple[Block, ...]:
    course, free_text = reading.course, reading.free_text
    return (
        visits_table(course),
        deviations_table(course, free_text=free_text),
        missing_table(course),
        late_table(course),
        corrections_table(course, free_text=free_text),
        flags_table(course),
        Subhead("Provenance"),
        provenance(reading.log, course),
        signatures_table(course),
    )


def provenance(log: Log, course: Course) -> Facts:
    """Digests and versions: what the log must be replayed with."""
    opened = course.opened
    named = {} if course.protocol.blinded else opened.parameter_digests  # a drug model's digest would tell the arm
    pairs: list[tuple[str, Any]] = [
        ("Protocol digest", opened.protocol_digest),
        ("Shipped base", opened.base_digest),
        ("Site overlay", opened.overlay_digest),
        ("Signed stopping rules", opened.stopping_rules_digest or "none signed: the shipped defaults"),
        ("Parameter digests", ", ".join(f"{name} {value}" for name, value in named.items())),
        ("Head of the log's chain", log.chain_head),
        ("Entries", len(log.entries)),
        ("Engine that opened the log", opened.engine_version),
        ("Origin", str(opened.origin)),
    ]
    return Facts([(name, value) for name, value in pairs if value not in {"", None}])
