"""Tables of what was done in the sessions: dose as given, exposure blocks, falls of SUDS, advice, harms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kerp.records.course import Course
from kerp.records.history import AdviceSpan
from kerp.records.tables.columns import Row
from kerp.records.tables.conduct import FALLS
from kerp.records.tables.harms import ADVERSE_EVENTS, MEDICATIONS
from kerp.records.tables.people import SESSIONS
from kerp.records.tables.treatment import BLOCKS, DOSES
from kerp.report.page import Table
from kerp.session.events import EndingRule
from kerp.session.view import View


def plain_words(value: Any) -> Any:
    """A code as words: underscores are for programs."""
    return str(value).replace("_", " ") if isinstance(value, str) else value


def minutes(value: float | None) -> str | None:
    """Minutes with at most one decimal and a real minus sign."""
    if value is None:
        return None
    words = f"{abs(value):.1f}".removesuffix(".0")
    return f"−{words}" if value <= -0.05 else words


def amount(value: float | None, unit: str) -> str | None:
    """A number with its unit, or nothing."""
    return None if value is None else f"{value:.4g} {unit}"


def sessions_table(course: Course) -> Table:
    """One row for each session."""
    titles = {plan.id: plan.title for plan in course.protocol.sessions}
    rows = [
        (
            row["session"],
            titles.get(row["plan"] or "", row["plan"]),
            row["study_day"],
            row["local_date"],
            row["blocks"],
            minutes(row["contact_min"]),
            minutes(row["onset_min"]),
            minutes(row["peak_min"]),
            minutes(row["resolved_min"]),
            row["therapist"],
        )
        for row in SESSIONS.read(course)
    ]
    head = ("session", "kind", "study day", "date", "blocks", "exposure, min", "onset, min", "peak, min")
    note = "Onset, peak and end of the felt effect by the protocol's effect rule, in minutes since minute 0."
    columns = (*head, "effect gone, min", "therapist")
    return Table("Sessions", columns, rows, (2, 4, 5, 6, 7, 8), note=note)


def doses_table(course: Course) -> Table:
    """What was given, segment by segment; mg only where the log is not blinded."""
    blinded = course.protocol.blinded
    rows = [_dose(row, blinded=blinded) for row in DOSES.read(course)]
    columns = ["session", "what", "from, min", "to, min", "rate", "volume"]
    columns += [] if blinded else ["amount"]
    return Table(
        "Dose as given, by segment or device", columns, rows, (2, 3, 4, 5, 6)[: len(columns) - 2], _read(course)
    )


def _dose(row: Row, *, blinded: bool) -> tuple[Any, ...]:
    infusion = row["kind"] == "infusion_segment"
    devices = f" ({row['devices']} written as one)" if (row["devices"] or 1) > 1 else ""
    what = f"infusion, segment {row['number']}" if infusion else f"nasal device {row['number']}{devices}"
    rates = [amount(row["rate_ml_per_h"], "mL/h"), None if blinded else amount(row["rate_mg_per_min"], "mg/min")]
    given = (
        row["session"],
        what,
        minutes(row["start_min"]),
        minutes(row["end_min"]) if infusion else None,
        ", ".join(rate for rate in rates if rate),
        amount(row["volume_ml"], "mL"),
    )
    return given if blinded else (*given, amount(row["amount_mg"], "mg"))


def _read(course: Course) -> str:
    """What was read off at the end, beside what rates and times come to."""
    notes = []
    for view in course.views:
        given_mg = None if course.protocol.blinded else view.drug.dose_given_mg
        read = [amount(view.drug.volume_given_ml, "mL"), amount(given_mg, "mg")]
        words = " and ".join(value for value in read if value)
        if words:
            notes.append(f"Read off at the end of session {view.record.id}: {words}.")
    hidden = "Blinded: no dose in mg is shown (M8)." if course.protocol.blinded else ""
    return " ".join([*notes, "Amounts are rate times duration.", hidden]).strip()


def blocks_table(course: Course) -> Table:
    """Exposure blocks with their course of SUDS."""
    rows = [
        (
            row["session"],
            row["block"],
            row["item"],
            plain_words(row["modality"]),
            minutes(row["start_min"]),
            minutes(row["duration_min"]),
            _intensity(row),
            plain_words(row["ending_rule"]) or "still open",
            _suds(row),
            row["rituals"],
            _expectancy(row),
        )
        for row in BLOCKS.read(course)
    ]
    head = ("session", "block", "item", "given as", "from, min", "lasted, min", "intensity", "ended by")
    note = (
        "SUDS: first, highest and last rating of the block. Intensity: share of the full stimulus at start and end. "
        f"Endings: {', '.join(str(rule).replace('_', ' ') for rule in EndingRule)}."
    )
    columns = (*head, "SUDS", "rituals", "expected, %")
    return Table("Exposure blocks", columns, rows, (4, 5, 9), note=note)


def _intensity(row: Row) -> str:
    first, last = row["intensity_first"], row["intensity_last"]
    low = ", low demand" if row["demand_last"] == "low" else ""
    return (f"{first:g}" if first == last else f"{first:g} to {last:g}") + low


def _suds(row: Row) -> str | None:
    values = (row["suds_first"], row["suds_peak"], row["suds_last"])
    return " · ".join(str(value) for value in values) if values[0] is not None else None


def _expectancy(row: Row) -> str | None:
    before, after = row["expectancy_before_pct"], row["expectancy_after_pct"]
    if before is None and after is None:
        return None
    first, second = (f"{value:g}" if value is not None else "?" for value in (before, after))
    return f"{first} → {second}"


def falls_table(course: Course) -> Table:
    """Falls of SUDS with what they may come from (M10)."""
    rows = [
        (
            row["session"],
            row["block"],
            f"{minutes(row['from_min'])} to {minutes(row['to_min'])}",
            f"{row['suds_from']} → {row['suds_to']}",
            row["suds_from"] - row["suds_to"],
            row["possible_causes"].replace("; ", ", "),
            "yes" if row["habituation"] else "no",
            row["judged_by"] or "derived",
        )
        for row in FALLS.read(course)
    ]
    columns = ("session", "block", "min", "SUDS", "points", "possible causes", "counts as habituation", "judged by")
    note = (
        "A fall counts as habituation only where ritual, avoidance, distraction and the drug can be excluded, or a "
        "clinician judged so. During the drug's effect it never counts by itself."
    )
    return Table("Falls of SUDS within a block, and what they may come from", columns, rows, (4,), note=note)


def advice_table(course: Course, spans: Sequence[AdviceSpan], *, free_text: bool) -> Table:
    """Advice given, and what was done about it; prompts stand under missing data."""
    views = {view.record.id: view for view in course.views}
    rows = [_advice(course, views, span, free_text=free_text) for span in spans if not span.is_prompt]
    columns = (
        "session",
        "from, min",
        "to, min",
        "level",
        "advice",
        "decides",
        "what was done",
        "cleared by",
        "source",
    )
    note = "Advice proposes and never acts. Outside a session the study day stands instead of minutes."
    return Table("Advice given, and what was done", columns, rows, (1, 2), note=note)


def _advice(course: Course, views: Mapping[str, View], span: AdviceSpan, *, free_text: bool) -> tuple[Any, ...]:
    view = views.get(span.session)
    words = span.title + (f" (step {span.step})" if span.step else "")
    return (
        span.session,
        _when(course, view, span.shown_ms),
        _when(course, view, span.cleared_ms) if span.cleared_ms is not None else "stands",
        str(span.level),
        words,
        plain_words(span.who_decides),
        done_about(span, free_text=free_text),
        _cleared_by(course, span),
        f"{span.source} ({span.mark})",
    )


def done_about(span: AdviceSpan, *, free_text: bool) -> str | None:
    """`overridden by Theo after 1 min`, with the reason where free text is wanted."""
    after = span.answered_after_min
    if after is None:
        return None
    delay = f"after {after:.0f} min" if after >= 1 else "within 1 min"
    said = f": {span.answer}" if free_text and span.answer else ""
    return f"{span.state} by {span.answered_by} {delay}{said}"


def _when(course: Course, view: View | None, at_ms: int) -> str | None:
    if view is not None and view.t0_ms is not None:
        return minutes((at_ms - view.t0_ms) / 60_000)
    zero = course.day_zero
    return None if zero is None else f"day {(at_ms - zero.occurred_ms) // 86_400_000}"


def _cleared_by(course: Course, span: AdviceSpan) -> str | None:
    if span.cleared_ms is None:
        return None
    try:
        return plain_words(course.as_read(span.cleared_by).event.type) if span.cleared_by else "time"
    except KeyError:
        return "correction"


def adverse_events_table(course: Course) -> Table:
    """Adverse events; free text is left out (M22)."""
    rows = [
        (
            row["session"],
            row["study_day"],
            minutes(row["at_min"]),
            plain_words(row["code"]),
            row["grade_highest"],
            row["serious"],
            plain_words(row["relation"]),
            "ended" if row["ended"] else "not recorded as ended",
        )
        for row in ADVERSE_EVENTS.read(course)
    ]
    columns = ("session", "study day", "min", "what", "highest grade", "serious", "thought to come from", "outcome")
    return Table("Adverse events", columns, rows, (1, 2, 4), empty="None recorded.")


def medication_table(course: Course) -> Table:
    """Medication other than the study drug."""
    rows = [
        (
            row["session"],
            row["study_day"],
            minutes(row["at_min"]),
            row["name"],
            row["amount"],
            row["route"],
            plain_words(row["kind"]),
            row["rescue"],
        )
        for row in MEDICATIONS.read(course)
    ]
    columns = ("session", "study day", "min", "name", "amount", "route", "kind", "rescue")
    note = "A benzodiazepine may blunt learning: analyses must see it."
    return Table("Medication given", columns, rows, (1, 2), note=note if rows else "", empty="None recorded.")
