"""Tracks of safety: vital signs against the protocol's thresholds, sedation, harms, advice and what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from kerp.base.elapsed import MS_PER_MIN
from kerp.protocol.model import Level, Protocol
from kerp.records.history import AdviceSpan
from kerp.report.session.canvas import HOLD, INFO, INK, PULSE, SOFT, STOP, WARN, Scale, cut, width_of
from kerp.report.session.frame import LEFT, Frame, Key, Track
from kerp.report.session.marks import dot, mark_style, missed
from kerp.session.advice import AdviceState
from kerp.session.events import (
    AdverseEvent,
    AdverseEventFollowed,
    MedicationGiven,
    Observed,
    PatientStop,
    SedationRated,
    VitalsTaken,
)
from kerp.session.pressure import pressures, readings_of
from kerp.session.prompts import Slot
from kerp.session.view import View

Limit = tuple[float, str, str, str]  # value, words, colour, dash
_LEVELS = {
    Level.STOP: (STOP, 8.0, STOP),
    Level.HOLD: (HOLD, 8.0, "url(#hatch-hold)"),
    Level.WARN: (WARN, 5.0, WARN),
    Level.INFO: (INFO, 3.0, INFO),
}
_ROWS = 16  # advice rows at most; the rest stands in the table


def _limits(protocol: Protocol, warn: str, stop: str, names: Sequence[tuple[str, str]]) -> Iterator[Limit]:
    """Thresholds of the warning and stop rules of a kind, as the protocol has them."""
    for kind, word, colour, dash in ((warn, "warn", WARN, "4 3"), (stop, "stop", STOP, "none")):
        for rule in protocol.rules:
            if rule.kind == kind and rule.active:
                for name, before in names:
                    if (found := rule.thresholds.get(name)) is not None:
                        yield found.value, f"{before}{found.value:g} {word}", colour, dash


def pressure_track(view: View, slots: Sequence[Slot]) -> Track:
    """Each reading as a bar from diastolic to systolic."""
    names = (("sbp_mmhg", "▾ "), ("dbp_mmhg", "▴ "))
    limits = tuple(_limits(view.protocol, "bp_warn", "bp_stop", names))
    keys = (
        Key("systolic, mm Hg", dot("down", PULSE)),
        Key("diastolic, mm Hg", dot("up", PULSE, hollow=True)),
        Key("not measured", dot("cross", PULSE)),
        Key("limits: protocol"),
    )

    def draw(frame: Frame, top: float) -> None:
        readings = [item for item in readings_of(view.record) if frame.shows(item.at_ms)]
        values = [value for item in readings for value in pressures(item)] + [limit[0] for limit in limits]
        scale = Scale(min([*values, 60]) - 6, max([*values, 140]) + 6, top + 100, top + 2)
        frame.ticks(scale, (80, 120, 160))
        frame.limits(scale, limits)
        for item in readings:
            _reading(frame, scale, item)
        missed(frame, top + 100, slots, "vitals", PULSE)

    return Track("Blood pressure", 104, draw, keys)


def _reading(frame: Frame, scale: Scale, item: Observed[VitalsTaken]) -> None:
    systolic, diastolic = pressures(item)
    x, tip = frame.at(item.at_ms), f"{systolic}/{diastolic} mm Hg at {frame.minute(item.at_ms):.0f} min"
    frame.canvas.line((x, scale(systolic)), (x, scale(diastolic)), tip, stroke=PULSE, stroke_width=1.2)
    frame.canvas.mark(x, scale(systolic), "down", 4.6, tip, **mark_style("down", PULSE))
    frame.canvas.mark(x, scale(diastolic), "up", 4.2, tip, **mark_style("up", PULSE, hollow=True))


def heart_rate_track(view: View) -> Track:
    """Heart rate."""
    names = (("hr_high_per_min", ""), ("hr_low_per_min", ""))
    limits = tuple(_limits(view.protocol, "heart_rate_warn", "heart_rate_stop", names))

    def value(item: Observed[VitalsTaken]) -> float | None:
        return item.event.heart_rate_per_min

    return _vital(view, "Heart rate", "per min", value, limits, (60, 100), (45, 115), 66)


def saturation_track(view: View) -> Track:
    """Oxygen saturation."""
    limits = tuple(_limits(view.protocol, "spo2_warn", "spo2_stop", (("spo2_pct", ""),)))

    def value(item: Observed[VitalsTaken]) -> float | None:
        return item.event.spo2_pct

    return _vital(view, "Oxygen saturation", "SpO₂, %", value, limits, (90, 100), (88, 100), 46)


def _vital(
    view: View,
    title: str,
    unit: str,
    value: Callable[[Observed[VitalsTaken]], float | None],
    limits: tuple[Limit, ...],
    ticks: tuple[float, float],
    ends: tuple[float, float],
    height: float,
) -> Track:
    def draw(frame: Frame, top: float) -> None:
        found = [
            (item, number)
            for item in view.record.of(VitalsTaken)
            if (number := value(item)) is not None and frame.shows(item.at_ms)
        ]
        numbers = [number for _, number in found] + [limit[0] for limit in limits]
        scale = Scale(min([*numbers, ends[0]]) - 2, max([*numbers, ends[1]]) + 1, top + height - 2, top + 2)
        frame.ticks(scale, ticks)
        frame.limits(scale, limits)
        points = [(frame.at(item.at_ms), scale(number)) for item, number in found]
        frame.canvas.path(points, stroke=PULSE, stroke_width=1.2, stroke_dasharray="1 2.5")
        for (item, number), (x, y) in zip(found, points, strict=True):
            tip = f"{title.lower()} {number:g} at {frame.minute(item.at_ms):.0f} min"
            frame.canvas.mark(x, y, "circle", 3.2, tip, **mark_style("circle", PULSE))

    return Track(title, height, draw, (Key(unit, dot("circle", PULSE)),))


def sedation_track(view: View) -> Track:
    """MOAA/S as numerals; levels at or below the protocol's limit are boxed."""
    rules = [r for r in view.protocol.rules if r.kind == "sedation_pause" and r.active]
    limit = rules[0].thresholds["moaas"].value if rules else None

    def draw(frame: Frame, top: float) -> None:
        for item in view.record.of(SedationRated):
            if not frame.shows(item.at_ms):
                continue
            x, level = frame.at(item.at_ms), item.event.moaas
            if limit is not None and level <= limit:
                frame.canvas.rect(x - 8, top, 16, 17, fill="#fff", stroke=HOLD, stroke_width=2)
            frame.canvas.text(x, top + 13, str(level), text_anchor="middle", fill=INK, plain=True)

    words = f"boxed: {limit:g} or below" if limit is not None else "5 is alert"
    return Track("Sedation, MOAA/S", 32, draw, (Key(words),))


def harm_track(view: View) -> Track | None:
    """Adverse events as long as they lasted, medication, and the participant's stop."""
    events, given = view.record.of(AdverseEvent), view.record.of(MedicationGiven)
    stop = view.record.first(PatientStop)
    if not events and not given and stop is None:
        return None
    keys = []
    keys += [Key("adverse event", dot("diamond", STOP))] if events else []
    keys += [Key("medication", dot("square", PULSE, hollow=True))] if given else []
    keys += [Key("participant says stop", dot("circle", STOP))] if stop else []
    rows = len(events) + len(given) + (stop is not None)

    def draw(frame: Frame, top: float) -> None:
        y = top + 10
        for item in events:
            _harm(frame, y, view, item)
            y += 17
        for medicine in given:
            words = f"{medicine.event.name} {medicine.event.amount}".strip()
            _moment(frame, y, medicine.at_ms, "square", words)
            y += 17
        if stop is not None:
            _moment(frame, y, stop.at_ms, "circle", "participant says stop")

    return Track("Harms, medication", max(17.0 * rows + 4, 18 + 14.5 * len(keys)), draw, tuple(keys))


def _harm(frame: Frame, y: float, view: View, item: Observed[AdverseEvent]) -> None:
    followed = [f for f in view.record.of(AdverseEventFollowed) if f.event.adverse_event == item.id and f.event.ended]
    start = frame.at(item.at_ms)
    end = frame.at(followed[-1].at_ms) if followed else frame.x.at_high
    words = f"{item.event.code.replace('_', ' ')}, grade {item.event.grade}"
    frame.canvas.line(
        (start, y), (end, y), words, stroke=STOP, stroke_width=2, stroke_dasharray="none" if followed else "5 3"
    )
    frame.canvas.mark(start, y, "diamond", 5, words, **mark_style("diamond", STOP))
    _beside(frame, (start, end), y, words, STOP)


def _moment(frame: Frame, y: float, at_ms: int, shape: str, words: str) -> None:
    x, colour = frame.at(at_ms), STOP if shape == "circle" else PULSE
    frame.canvas.mark(x, y, shape, 4.4, words, **mark_style(shape, colour, hollow=shape == "square"))
    _beside(frame, (x, x), y, words, colour)


def _beside(frame: Frame, ends: tuple[float, float], y: float, words: str, colour: str) -> None:
    """Words right of what they name, or left where there is no room."""
    if ends[1] + 8 + width_of(words, 11) <= frame.x.at_high:
        frame.canvas.text(ends[1] + 8, y + 4, words, font_size=11, fill=colour)
    else:
        frame.canvas.text(ends[0] - 8, y + 4, words, font_size=11, fill=colour, text_anchor="end")


# --- advice ---


def advice_track(spans: Sequence[AdviceSpan]) -> Track:
    """One row for each rule: when it spoke, how loudly, and what was done."""
    rows: dict[str, list[AdviceSpan]] = {}
    for span in spans:
        if not span.is_prompt:
            rows.setdefault(span.rule_id, []).append(span)
    kept = dict(list(rows.items())[:_ROWS])

    def draw(frame: Frame, top: float) -> None:
        frame.canvas.text(
            LEFT,
            top + 11,
            "A bar as long as the advice stood, and what was done:  ✓ acknowledged,  ✕ overridden.",
            fill=SOFT,
            font_size=11,
        )
        for index, group in enumerate(kept.values()):
            _row(frame, top + 24 + 17 * index, group)

    return Track("Advice", 20 + 17.0 * max(len(kept), 1), draw)


def _row(frame: Frame, y: float, group: Sequence[AdviceSpan]) -> None:
    loudest = max((span.level for span in group), key=list(Level).index)
    colour, _, _ = _LEVELS[loudest]
    frame.canvas.text(34, y + 4, cut(group[0].title, LEFT - 40, 11), font_size=11, fill=INK, plain=True)
    weight = "bold" if loudest in {Level.STOP, Level.HOLD} else "normal"
    frame.canvas.text(4, y + 4, str(loudest), font_size=11, fill=colour, font_weight=weight, plain=True)
    for span in group:
        _span(frame, y, span)


def _span(frame: Frame, y: float, span: AdviceSpan) -> None:
    colour, thick, style = _LEVELS[span.level]
    end = LEFT
    for stretch in span.stretches:
        stop_ms = stretch.cleared_ms if stretch.cleared_ms is not None else frame.t0_ms + 10**9
        if frame.minute(stop_ms) < frame.x.low or frame.minute(stretch.shown_ms) > frame.x.high:
            continue
        start, end = frame.at(stretch.shown_ms), frame.at(stop_ms)
        tip = f"{span.title} ({span.level}), from {frame.minute(stretch.shown_ms):.0f} min"
        wide = max(end - start, 2.5)
        frame.canvas.rect(start, y - thick / 2, wide, thick, tip, fill=style, stroke=colour, stroke_width=0.8)
    if span.answered_ms is not None and frame.shows(span.answered_ms):
        _answer(frame, y, span, end)


def _answer(frame: Frame, y: float, span: AdviceSpan, end: float) -> None:
    assert span.answered_ms is not None
    x, sign = frame.at(span.answered_ms), "✓" if span.state is AdviceState.ACKNOWLEDGED else "✕"
    frame.canvas.mark(x, y, "circle", 6.5, f"{span.state} by {span.answered_by}", fill="#fff", stroke=INK)
    frame.canvas.text(x, y + 4, sign, text_anchor="middle", font_size=11, font_weight="bold", plain=True)
    after = (span.answered_ms - span.shown_ms) / MS_PER_MIN
    words = f"{span.answered_by}, after {after:.0f} min" if after >= 1 else f"{span.answered_by}, within 1 min"
    if max(end, x + 7) + 6 + width_of(words, 11) <= frame.x.at_high:
        frame.canvas.text(max(end, x + 7) + 6, y + 4, words, font_size=11, fill=SOFT)
    else:
        frame.canvas.text(x - 12, y + 4, words, font_size=11, fill=SOFT, text_anchor="end")
