"""What was advised when, until when, and what was done about it: the log read again as it was written.

The log is read entry by entry, and minute by minute while a session is under way; at each of these moments the engine
is asked for its advice, with nothing that was recorded later. Between sessions only entries and the hours at which a
visit escalates are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kerp.base.elapsed import MS_PER_DAY, MS_PER_MIN, ms_from_min
from kerp.evidence.sourced import Mark
from kerp.protocol.model import Level, Track
from kerp.records.course import Course
from kerp.session.advice import Action, Advice, AdviceState
from kerp.session.advise import course_advice, of_session, with_answers
from kerp.session.events import AdviceAcknowledged, AdviceOverridden, Entry, Observed
from kerp.session.fold import step
from kerp.session.prompts import slots_of
from kerp.session.state import SessionRecord, State
from kerp.session.view import View, view_of
from kerp.session.visits import visits_of

QUIET_AFTER_MIN = 300  # technical: a session in which nobody has written for so long is not looked at every minute
_LOUDNESS = (Level.INFO, Level.WARN, Level.HOLD, Level.STOP)


@dataclass(frozen=True, slots=True)
class Stretch:
    """An advice was shown from `shown_ms` until `cleared_ms`, or until the log ends.

    `cleared_by` is the entry with which it cleared, empty where time alone did it.
    """

    shown_ms: int
    cleared_ms: int | None = None
    cleared_by: str = ""

    def covers(self, at_ms: int) -> bool:
        """Whether it stood at a moment."""
        return self.shown_ms <= at_ms and (self.cleared_ms is None or at_ms < self.cleared_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceSpan:
    """One advice from its first showing to its last. Times are ms since the log was opened.

    `level` is the loudest it had, `text` the last it said; several stretches: it came up again under the same key.
    `answered_by` is empty while nobody acknowledged or overrode it.
    """

    key: str
    rule_id: str
    title: str
    session: str
    level: Level
    track: Track
    who_decides: str
    proposes: Action
    source: str
    mark: Mark
    entries: tuple[str, ...]
    text: str
    since_ms: int
    stretches: tuple[Stretch, ...]
    step: int = 0
    state: AdviceState = AdviceState.OPEN
    answered_by: str = ""
    answered_ms: int | None = None
    answer: str = ""

    @property
    def shown_ms(self) -> int:
        """When it was first shown."""
        return self.stretches[0].shown_ms

    @property
    def cleared_ms(self) -> int | None:
        """When it last cleared; None while it still stands when the log ends."""
        return self.stretches[-1].cleared_ms

    @property
    def cleared_by(self) -> str:
        """The entry with which it last cleared, or empty."""
        return self.stretches[-1].cleared_by

    @property
    def answered_after_min(self) -> float | None:
        """Minutes from its first showing to the newest answer; None without one."""
        return None if self.answered_ms is None else (self.answered_ms - self.shown_ms) / MS_PER_MIN

    @property
    def is_prompt(self) -> bool:
        """Whether it only asks for something that is due."""
        return self.rule_id.startswith("prompt.")


def advice_history(course: Course) -> tuple[AdviceSpan, ...]:
    """Every advice that was shown in the course, in order of its first showing."""
    spans: dict[str, AdviceSpan] = {}
    standing: set[str] = set()
    for moment in _moments(course):
        found = {advice.key: advice for advice in moment.advice}
        for key in standing - found.keys():
            spans[key] = _cleared(spans[key], moment)
        for key, advice in found.items():
            spans[key] = _shown(spans.get(key), advice, moment.at_ms, anew=key not in standing)
        standing = set(found)
    answers = _answers(course)
    answered = (_answered(span, answers.get(span.key)) for span in spans.values())
    return tuple(sorted(answered, key=lambda span: (span.shown_ms, span.rule_id, span.key)))


def _cleared(span: AdviceSpan, moment: _Moment) -> AdviceSpan:
    closed = replace(span.stretches[-1], cleared_ms=moment.at_ms, cleared_by=moment.entry)
    return replace(span, stretches=(*span.stretches[:-1], closed))


def _shown(span: AdviceSpan | None, advice: Advice, at_ms: int, *, anew: bool) -> AdviceSpan:
    if span is None:
        return AdviceSpan(
            key=advice.key,
            rule_id=advice.rule_id,
            title=advice.title,
            session=advice.session,
            level=advice.level,
            track=advice.track,
            who_decides=advice.who_decides,
            proposes=advice.proposes,
            source=advice.source,
            mark=advice.mark,
            entries=advice.entries,
            text=advice.text,
            since_ms=advice.since_ms,
            stretches=(Stretch(at_ms),),
            step=advice.step,
        )
    if not anew and (span.text, span.level, span.step) == (advice.text, advice.level, advice.step):
        return span
    return replace(
        span,
        text=advice.text,
        level=max(span.level, advice.level, key=_LOUDNESS.index),
        step=max(span.step, advice.step),
        stretches=(*span.stretches, Stretch(at_ms)) if anew else span.stretches,
    )


_Answer = Observed[AdviceAcknowledged] | Observed[AdviceOverridden]


def _answers(course: Course) -> dict[str, _Answer]:
    """The newest answer to each key, as it is read now."""
    given: list[_Answer] = [
        *course.state.everywhere(AdviceAcknowledged),
        *course.state.everywhere(AdviceOverridden),
    ]
    return {item.event.advice: item for item in sorted(given, key=lambda item: (item.at_ms, item.entry.seq))}


def _answered(span: AdviceSpan, answer: _Answer | None) -> AdviceSpan:
    if answer is None:
        return span
    overridden = isinstance(answer.event, AdviceOverridden)
    text = answer.event.reason if isinstance(answer.event, AdviceOverridden) else answer.event.note
    state = AdviceState.OVERRIDDEN if overridden else AdviceState.ACKNOWLEDGED
    return replace(span, state=state, answered_by=answer.actor, answered_ms=answer.at_ms, answer=text)


# --- the moments at which the engine is asked ---


@dataclass(frozen=True, slots=True)
class _Moment:
    """What is advised at `at_ms`, and the entry that was just written, if one was."""

    at_ms: int
    entry: str
    advice: tuple[Advice, ...]


def _moments(course: Course) -> Iterator[_Moment]:
    """After every entry, and between entries at every moment at which time alone may change the advice."""
    reader = _Reader(course)
    ends = [*(entry.recorded_ms for entry in course.entries[1:]), course.end_ms]
    for entry, next_ms in zip(course.entries, ends, strict=True):
        reader.read(entry)
        now_ms = reader.state.recorded_ms
        yield _Moment(now_ms, entry.id, reader.advice(now_ms))
        for at_ms in reader.ticks(now_ms, next_ms):
            yield _Moment(at_ms, "", reader.advice(at_ms))


@dataclass(frozen=True, slots=True)
class _Settled:
    """Advice of a session that is over, as long as neither its record nor that of the course changes."""

    record: SessionRecord
    course: SessionRecord
    advice: tuple[Advice, ...]


def _settled_ms(view: View) -> int:
    """When the last form of a session that was left can no longer be answered."""
    slots = slots_of(replace(view, now_ms=view.now_ms + MS_PER_DAY * 365))
    return max((slot.due_ms + ms_from_min(slot.prompt.missed_after_min) for slot in slots), default=0)


class _Reader:
    """Reads the log an entry at a time and keeps the views that the new entry did not touch."""

    def __init__(self, course: Course) -> None:
        self.protocol = course.protocol
        self.state = State()
        self._views: dict[str, View] = {}
        self._settled: dict[str, _Settled] = {}
        self._last_written_ms: int | None = None

    def read(self, entry: Entry) -> None:
        """One entry more."""
        self.state = step(self.protocol, self.state, entry)
        if entry.session:
            self._last_written_ms = self.state.recorded_ms

    def advice(self, now_ms: int) -> tuple[Advice, ...]:
        """The same as `advise`, without reading again what has not changed."""
        found = course_advice(self.protocol, self.state, now_ms)
        course = tuple(found)
        for record in self.state.sessions:
            found += self._of_record(record, course, now_ms)
        return tuple(with_answers(self.state, found))

    def _of_record(self, record: SessionRecord, course: tuple[Advice, ...], now_ms: int) -> Iterable[Advice]:
        """Advice of one session; that of an earlier one which nothing can change any more is kept."""
        kept = self._settled.get(record.id)
        if kept is not None and kept.record is record and kept.course is self.state.course:
            return kept.advice
        view, current = self._view(record, now_ms), record is self.state.sessions[-1]
        advice = tuple(of_session(view, course, current=current))
        if not current and view.discharged and now_ms >= _settled_ms(view):
            self._settled[record.id] = _Settled(record, self.state.course, advice)
        return advice

    def _view(self, record: SessionRecord, now_ms: int) -> View:
        known = self._views.get(record.id)
        if known is None or known.record is not record:
            known = view_of(self.protocol, self.state, record, now_ms)
            self._views[record.id] = known
        return replace(known, state=self.state, now_ms=now_ms)

    def ticks(self, after_ms: int, until_ms: int) -> list[int]:
        """Moments strictly between two entries at which time alone may change the advice."""
        wanted: set[int | None] = set()
        if until_ms - after_ms > MS_PER_MIN:
            for status in visits_of(self.protocol, self.state, after_ms):
                wanted |= {status.due_ms, status.escalate_ms}
        if self._last_written_ms is not None and self.state.sessions:
            quiet_ms = self._last_written_ms + ms_from_min(QUIET_AFTER_MIN)
            wanted |= set(self._of_session(self.state.sessions[-1], after_ms, min(until_ms, quiet_ms)))
        return sorted(ms for ms in wanted if ms is not None and after_ms < ms < until_ms)

    def _of_session(self, record: SessionRecord, after_ms: int, until_ms: int) -> Iterable[int]:
        """Whole minutes until discharge; then the moments at which the remaining forms fall due and are missed."""
        view = self._views[record.id]
        if view.discharged:
            return _of_slots(replace(view, now_ms=until_ms))
        origin = view.t0_ms if view.t0_ms is not None else view.now_ms
        first = origin + ((after_ms - origin) // MS_PER_MIN + 1) * MS_PER_MIN
        return range(first, until_ms, MS_PER_MIN)


def _of_slots(view: View) -> Iterator[int]:
    for slot in slots_of(view):
        for minutes in (0.0, slot.prompt.late_after_min, slot.prompt.missed_after_min):
            yield slot.due_ms + ms_from_min(minutes)


def spans_at(spans: tuple[AdviceSpan, ...], at_ms: int) -> tuple[AdviceSpan, ...]:
    """Those that stood at a moment."""
    return tuple(span for span in spans if any(stretch.covers(at_ms) for stretch in span.stretches))
