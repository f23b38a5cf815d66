"""Tables of scores: before and after with their reference periods and validity, and every definition of outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kerp.base.errors import KerpError
from kerp.instrument.load import load_instrument
from kerp.instrument.model import Instrument
from kerp.instrument.outcome import Course as OutcomeCourse
from kerp.instrument.outcome import OutcomeRules, Reading, Verdict, evaluate
from kerp.instrument.outcome_load import load_outcome, outcome_ids
from kerp.records.course import Course
from kerp.report.page import Table
from kerp.report.session.conduct_tables import minutes
from kerp.session.calendar import study_days_between
from kerp.session.events import Observed, ScaleAnswered
from kerp.session.scores import Scored, scores_of
from kerp.session.visits import dose_entries

_WITHIN_MIN = 24 * 60  # minutes of a session are shown within a day of its minute 0


@dataclass(frozen=True, slots=True)
class Rated:
    """One scored set of answers, where it stands to the dose, and whether it may be analysed."""

    instrument: Instrument
    scored: Scored
    study_day: int | None
    at_min: float | None
    straddles: bool

    @property
    def total(self) -> float | None:
        """The total, or nothing where it could not be computed."""
        return self.scored.score.total if self.scored.score else None

    @property
    def valid(self) -> bool:
        """Whether no dose lies in a reference period that may not hold one (M1)."""
        return not (self.straddles and self.instrument.period.must_not_straddle_dose)

    @property
    def item(self) -> Observed[ScaleAnswered]:
        """The answers."""
        return self.scored.answered


def rated_of(course: Course) -> tuple[Rated, ...]:
    """Every set of answers to a known instrument, in order of time."""
    known: dict[str, Instrument] = {}
    for item in course.state.everywhere(ScaleAnswered):
        try:
            known.setdefault(item.event.instrument, load_instrument(item.event.instrument))
        except KerpError:
            continue
    found = scores_of(course.state, known)
    return tuple(_rated(course, known[s.answered.event.instrument], s) for s in found if _known(s, known))


def _known(scored: Scored, known: dict[str, Instrument]) -> bool:
    return scored.answered.event.instrument in known


def _rated(course: Course, instrument: Instrument, scored: Scored) -> Rated:
    item = scored.answered
    record = course.state.session(item.entry.session)
    at_min = course.minute(record, item.at_ms) if record else None
    return Rated(instrument, scored, course.study_day(item.entry), at_min, _straddles(course, instrument, item))


def _straddles(course: Course, instrument: Instrument, item: Observed[ScaleAnswered]) -> bool:
    for dose in dose_entries(course.state):
        since = (item.at_ms - dose.occurred_ms) / 60_000
        days = study_days_between(dose, item.entry)
        if since >= 0 and instrument.period.straddles(study_days_since_dose=days, minutes_since_dose=since):
            return True
    return False


def before_and_after(course: Course, rated: Sequence[Rated]) -> Table:
    """Each instrument of the protocol's outcomes: last valid total before day 0, last valid one after it."""
    wanted = [use.id for use in course.protocol.instruments if use.role in {"primary", "secondary"}]
    rows = []
    for name in wanted:
        own = [item for item in rated if item.instrument.id == name and item.valid and item.total is not None]
        before = [item for item in own if _is_before(course, item)]
        after = [item for item in own if not _is_before(course, item)]
        if before or after:
            rows.append(_change(before[-1] if before else None, after[-1] if after else None))
    columns = ("instrument", "looks back over", "before", "day", "after", "day", "change", "change, %")
    note = (
        "Last valid total before the first dose, and last valid total after it (PAPER P32). A total whose reference "
        "period reaches back over a dose does not stand here; it is listed below as not valid."
    )
    return Table("Before and after", columns, rows, (2, 3, 4, 5, 6, 7), note=note)


def _is_before(course: Course, item: Rated) -> bool:
    zero = course.day_zero
    return zero is None or item.item.at_ms < zero.occurred_ms


def _change(before: Rated | None, after: Rated | None) -> tuple[Any, ...]:
    some = before or after
    assert some is not None
    first, last = (item.total if item else None for item in (before, after))
    change = None if first is None or last is None else last - first
    percent = None if change is None or not first else f"{_signed(100 * change / first, 0)}"
    return (
        some.instrument.name,
        some.instrument.period.text,
        _total(first),
        _day(before),
        _total(last),
        _day(after),
        None if change is None else _signed(change, 1),
        percent,
    )


def _signed(value: float, digits: int) -> str:
    words = f"{abs(value):.{digits}f}".removesuffix(".0")
    return f"−{words}" if value < 0 else f"+{words}" if value > 0 else words


def _total(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f}".removesuffix(".0")


def _day(item: Rated | None) -> str | None:
    if item is None or item.study_day is None:
        return None
    return _signed(item.study_day, 0) if item.study_day < 0 else str(item.study_day)


def scores_table(rated: Sequence[Rated]) -> Table:
    """One row for each instrument: every total with its day or minute; what may not be analysed says so."""
    own: dict[str, list[Rated]] = {}
    for item in sorted(rated, key=lambda item: (item.instrument.name, item.item.at_ms)):
        if item.instrument.total_range is not None:
            own.setdefault(item.instrument.id, []).append(item)
    rows = [_all_totals(items) for items in own.values()]
    columns = ("instrument", "looks back over", "rated by", "totals")
    note = "Study day, or minute of a session with a minute 0. Scored from the answers in the log when read."
    return Table("Every score", columns, rows, note=note)


def _all_totals(items: Sequence[Rated]) -> tuple[str, str, str, str]:
    period = items[0].instrument.period
    raters = ", ".join(dict.fromkeys(item.item.event.rated_by.replace("_", " ") for item in items))
    return items[0].instrument.short_name, period.text, raters, "; ".join(_one_total(item) for item in items)


def _one_total(item: Rated) -> str:
    when = (
        f"day {_day(item)}"
        if item.at_min is None or abs(item.at_min) > _WITHIN_MIN
        else f"{minutes(item.at_min)} min"
    )
    band = f", {_band(item)}" if _band(item) else ""
    doubt = _doubt(item)
    return f"{when}: {_total(item.total) or 'no total'}{band}" + (f" ({doubt})" if doubt else "")


def _band(item: Rated) -> str | None:
    score = item.scored.score
    return score.band.label if score and score.band else None


def _doubt(item: Rated) -> str:
    if item.scored.score is None:
        return f"not scored: {item.scored.problem.splitlines()[0]}"
    if not item.valid:
        return "not valid: a dose lies in the period"
    if item.total is None:
        return f"{len(item.scored.score.missing)} items without an answer"
    return "a dose lies in the period" if item.straddles else ""


def outcome_tables(course: Course, rated: Sequence[Rated]) -> tuple[Table, ...]:
    """One table for each published set of definitions, at every later visit with a valid score (M14)."""
    sets = outcome_rules_used(rated)
    tables = tuple(_outcomes(course, rules, rated) for rules in sets)
    shown = tuple(table for table in tables if table is not None)
    return shown or (Table("Outcome by every definition", (), (), empty="No valid score before and after the dose."),)


def _outcomes(course: Course, rules: OutcomeRules, rated: Sequence[Rated]) -> Table | None:
    baseline = _baseline(course, rules, rated)
    if baseline is None:
        return None
    by_day = {day: _verdicts(rules, baseline, item, rated) for day, item in _later(course, rules, rated)}
    rows = [
        (
            criterion.label,
            *(_said(verdicts[index]) for verdicts in by_day.values()),
            criterion.definition,
            f"{criterion.source} ({criterion.mark})",
        )
        for index, criterion in enumerate(rules.criteria)
    ]
    columns = ("outcome", *(f"day {day}" for day in by_day), "as defined", "source")
    return Table(f"Outcome: {rules.title}", columns, rows) if by_day else None


def outcome_rules_used(rated: Sequence[Rated]) -> tuple[OutcomeRules, ...]:
    """Sets of rules that speak of an instrument of the course."""
    return tuple(r for r in map(load_outcome, outcome_ids()) if any(_of(r, item) for item in rated))


def _of(rules: OutcomeRules, item: Rated) -> bool:
    return item.instrument.id == rules.instrument


def _baseline(course: Course, rules: OutcomeRules, rated: Sequence[Rated]) -> Rated | None:
    before = [i for i in rated if _of(rules, i) and i.valid and i.total is not None and _is_before(course, i)]
    return before[-1] if before else None


def _later(course: Course, rules: OutcomeRules, rated: Sequence[Rated]) -> Iterator[tuple[int, Rated]]:
    if _baseline(course, rules, rated) is None:
        return
    for item in rated:
        if _of(rules, item) and item.valid and not _is_before(course, item) and item.study_day is not None:
            yield item.study_day, item


def _verdicts(rules: OutcomeRules, baseline: Rated, now: Rated, rated: Sequence[Rated]) -> tuple[Verdict, ...]:
    course = OutcomeCourse(
        baseline=_reading(baseline),
        now=_reading(now),
        cgi_i=_same_day(rated, "cgi_i", now.study_day),
        cgi_s=_same_day(rated, "cgi_s", now.study_day),
    )
    return evaluate(rules, course)


def _reading(item: Rated) -> Reading:
    return Reading(instrument=item.instrument.id, version=item.instrument.version, total=item.total)


def _same_day(rated: Sequence[Rated], instrument: str, day: int | None) -> int | None:
    totals = [i.total for i in rated if i.instrument.id == instrument and i.study_day == day and i.total is not None]
    return int(totals[-1]) if totals else None


def _said(verdict: Verdict) -> str:
    return verdict.words if verdict.met is not None else f"cannot be determined ({', '.join(verdict.unknown)})"
