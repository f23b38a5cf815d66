"""Tracks of the drug: phases, administration and predicted concentration, felt effect with its forecast."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from kerp.base.elapsed import ms_from_min
from kerp.protocol.model import Phase
from kerp.report.session.canvas import DRUG, FAINT, FELT, INK, SOFT, Scale, width_of
from kerp.report.session.drug import DrugPicture, Foretold, Prediction
from kerp.report.session.frame import LEFT, RIGHT, Frame, Key, Track
from kerp.report.session.marks import dot, fill, missed, rated, stroke
from kerp.session.drug_track import DrugStatus
from kerp.session.events import FeltEffectRated
from kerp.session.prompts import Slot
from kerp.session.view import View

_SHADES = ("#eef2f5", "#dde5eb")


def phase_track(view: View) -> Track:
    """The phases as the team saw them: entered when their fact became known, never by the clock."""

    def draw(frame: Frame, top: float) -> None:
        taken = 0.0
        for index, (phase, from_ms, to_ms) in enumerate(phases_of(view)):
            start, end = frame.at(from_ms), frame.at(to_ms)
            if end - start < 0.5:
                continue
            tip = f"{phase.title}: from {frame.minute(from_ms):.0f} min"
            frame.canvas.rect(start, top, end - start, 20, tip, fill=_SHADES[index % 2], stroke="#fff")
            taken = _name(frame, phase.id.replace("_", " "), (start, end), top, taken)

    return Track("Phase", 36, draw)


def _name(frame: Frame, words: str, ends: tuple[float, float], top: float, taken: float) -> float:
    """Inside where it fits, otherwise under the band where it is free; returns how far that room is taken."""
    start, end = ends
    wide = width_of(words, 11)
    if wide <= end - start - 4:
        frame.canvas.text((start + end) / 2, top + 14, words, text_anchor="middle", font_size=11, plain=True)
        return taken
    leftwards = start < frame.x(0) - 1 or end > frame.x.at_high - 1
    left = end - 3 - wide if leftwards else start + 3
    if left < taken:
        return taken
    frame.canvas.text(end - 3 if leftwards else left, top + 32, words, font_size=11, fill=SOFT, **_towards(leftwards))
    return left + wide + 6


def _towards(leftwards: bool) -> dict[str, str]:
    return {"text_anchor": "end"} if leftwards else {}


def phases_of(view: View) -> list[tuple[Phase, int, int]]:
    """Each phase with when it was entered and left, in order; a phase that was entered twice comes twice."""
    times = sorted({change.known_ms for change in view.changes})
    found: list[tuple[Phase, int, int]] = []
    for start_ms, end_ms in pairwise([*times, max(view.now_ms, times[-1] if times else 0)]):
        phase = view.phase_at(start_ms)
        if phase is None:
            continue
        if found and found[-1][0].id == phase.id:
            found[-1] = (phase, found[-1][1], end_ms)
        else:
            found.append((phase, start_ms, end_ms))
    return found


def concentration_track(view: View, picture: DrugPicture) -> Track:
    """What ran, and what the model predicts from it; or why nothing is shown."""
    made = picture.prediction
    if made is None:
        return Track("Drug given", 62, lambda frame, top: _hidden(frame, top, view, picture.why_not))
    keys = (
        Key(f"{made.model.agent}, ng/mL"),
        Key(made.sampling_site),
        Key("typical person", stroke(DRUG, width=1.8)),
        Key("50 % of people", fill(DRUG, 0.30)),
        Key("90 % of people", fill(DRUG, 0.13)),
        Key("device", dot("up", DRUG)) if view.drug.devices else Key("administration", fill("#dcebf1")),
    )
    return Track("Predicted drug level", 128, lambda frame, top: _concentration(frame, top, view, made), keys)


def _concentration(frame: Frame, top: float, view: View, made: Prediction) -> None:
    _administration(frame, top, view)
    highest = _round_up(float(made.bands[-1].max()))
    scale = Scale(0, highest, top + 128, top + 22)
    frame.ticks(scale, (0, highest / 2, highest))
    inside = (made.times_min >= frame.x.low) & (made.times_min <= frame.x.high)
    xs = [frame.x(minute) for minute in made.times_min[inside]]
    rows = [[scale(value) for value in row[inside]] for row in (*made.bands, made.typical)]
    frame.canvas.band(xs, rows[0], rows[4], fill=DRUG, fill_opacity=0.13)
    frame.canvas.band(xs, rows[1], rows[3], fill=DRUG, fill_opacity=0.2)
    frame.canvas.path(zip(xs, rows[5], strict=True), stroke=DRUG, stroke_width=1.8)


def _round_up(value: float) -> float:
    """An end for an axis: the next 1, 2 or 5 times a power of ten, or half steps between."""
    power = 10.0 ** len(str(int(value)))
    return next(
        power * share for share in (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0) if power * share > value
    )


def _administration(frame: Frame, top: float, view: View) -> None:
    """A bar while the pump runs, a tick for each nasal device."""
    for segment in view.drug.segments:
        end_ms = segment.to_ms if segment.to_ms is not None else view.drug.ended_ms or view.now_ms
        start, end = frame.at(segment.from_ms), frame.at(end_ms)
        rate = _rate(None if view.protocol.blinded else segment.mg_per_min, segment.ml_per_h)
        tip = f"{rate}, {frame.minute(segment.from_ms):.0f} to {frame.minute(end_ms):.0f} min"
        frame.canvas.rect(start, top, end - start, 15, tip, fill="#dcebf1", stroke=DRUG, stroke_width=0.8)
        if width_of(rate, 11) < end - start - 8:
            frame.canvas.text((start + end) / 2, top + 11.5, rate, text_anchor="middle", font_size=11, plain=True)
    for device in view.drug.devices:
        x, words = frame.at(device.at_ms), f"{device.count} ×" if device.count > 1 else ""
        tip = f"device {device.number} at {frame.minute(device.at_ms):.0f} min"
        frame.canvas.mark(x, top + 7, "up", 6, tip, fill=DRUG)
        frame.canvas.text(x + 8, top + 11, words, font_size=11, fill=DRUG)
    if view.drug.status is DrugStatus.STOPPED and view.drug.ended_ms is not None:
        frame.canvas.text(frame.at(view.drug.ended_ms) + 5, top + 11.5, "stopped", font_size=11, fill=DRUG)


def _rate(mg_per_min: float | None, ml_per_h: float | None) -> str:
    if mg_per_min is not None:
        return f"{mg_per_min:.3g} mg/min"
    return f"{ml_per_h:g} mL/h" if ml_per_h is not None else "rate not recorded"


def _hidden(frame: Frame, top: float, view: View, why: str) -> None:
    _administration(frame, top, view)
    frame.canvas.rect(LEFT, top + 20, RIGHT - LEFT, 42, fill="url(#hatch-hidden)", stroke=FAINT)
    middle = (LEFT + RIGHT) / 2
    frame.canvas.text(middle, top + 45, why, text_anchor="middle", fill=INK, stroke_width=7)


def felt_track(view: View, picture: DrugPicture, slots: Sequence[Slot]) -> Track:
    """Ratings 0 to 10, and the forecast that was made when onset became known."""
    made = _forward(picture)
    keys = [Key("0 to 10, rated", dot("circle", FELT)), Key("asked, not rated", dot("cross", FELT))]
    if made is not None:
        keys.insert(1, Key(f"forecast, made at {made.made_min:.0f}", stroke(FELT, dash="5 3")))
        keys.insert(2, Key("its 50 and 90 % bands", fill(FELT, 0.22)))
    return Track("Felt effect", 112, lambda frame, top: _felt(frame, top, view, made, slots), tuple(keys))


def _forward(picture: DrugPicture) -> Foretold | None:
    """The forecast made at onset, else the one made at the start."""
    ahead = [made for made in picture.forecasts if not made.label.startswith("looking back")]
    return ahead[-1] if ahead else None


def _felt(frame: Frame, top: float, view: View, made: Foretold | None, slots: Sequence[Slot]) -> None:
    scale = Scale(0, 10, top + 108, top + 6)
    frame.ticks(scale, (0, 5, 10))
    if made is not None:
        _forecast(frame, scale, made)
    rule, dose = view.protocol.effect_rule, view.protocol.dose
    if rule is not None:
        onset = view.effect.baseline + rule.onset_rise.value
        frame.limits(scale, ((onset, "onset", FELT, "1 3"),))
    if dose is not None and view.t0_ms is not None:
        window = dose.expected_peak_from_min.value, dose.expected_peak_to_min.value
        _expected(frame, top, (view.t0_ms, window))
    rated(frame, scale, view.record.of(FeltEffectRated), "circle", FELT, "felt effect")
    missed(frame, top + 108, slots, "felt_effect", FELT)


def _expected(frame: Frame, top: float, when: tuple[int, tuple[float, float]]) -> None:
    """The protocol's window for the peak, an expectation and no trigger (PAPER P30)."""
    t0_ms, (low, high) = when
    start, end = (frame.at(t0_ms + ms_from_min(minute)) for minute in (low, high))
    frame.canvas.path([(start, top + 6), (start, top + 1), (end, top + 1), (end, top + 6)], stroke=SOFT)
    words = f"peak expected {low:g} to {high:g}"
    frame.canvas.text(end + 5, top + 6, words, fill=SOFT, font_size=11)


def _forecast(frame: Frame, scale: Scale, made: Foretold) -> None:
    held = made.forecast
    ahead = (held.times_min >= made.made_min) & (held.times_min <= frame.x.high)
    xs = [frame.x(minute) for minute in held.times_min[ahead]]
    rows = [[scale(value) for value in row[ahead]] for row in held.felt]
    frame.canvas.band(xs, rows[0], rows[4], fill=FELT, fill_opacity=0.12)
    frame.canvas.band(xs, rows[1], rows[3], fill=FELT, fill_opacity=0.18)
    frame.canvas.path(zip(xs, rows[2], strict=True), stroke=FELT, stroke_width=1.2, stroke_dasharray="5 3")
