"""The time line of one session: every track on the same minutes, and the numbers behind it as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kerp.records.history import AdviceSpan
from kerp.report.page import Figure, inline_svg
from kerp.report.session.drug import DrugPicture
from kerp.report.session.drug_tracks import concentration_track, felt_track, phase_track
from kerp.report.session.exposure_tracks import block_track, distress_track, ritual_track
from kerp.report.session.frame import Track, drawn, span_of
from kerp.report.session.numbers import numbers_behind
from kerp.report.session.safety_tracks import (
    advice_track,
    harm_track,
    heart_rate_track,
    pressure_track,
    saturation_track,
    sedation_track,
)
from kerp.session.events import Coached, FeltEffectRated, RitualSeen, SedationRated, SudsRated, UrgeRated, VitalsTaken
from kerp.session.prompts import slots_of
from kerp.session.view import View


def time_line(view: View, spans: Sequence[AdviceSpan], picture: DrugPicture, prefix: str) -> Figure:
    """The figure of one session that has a T0."""
    own = [span for span in spans if span.session == view.record.id]
    tracks = tuple(_tracks(view, own, picture))
    title = f"Time line of session {view.record.id}"
    svg = drawn(view, tracks, title, tuple(_moments(view)), _note(picture))
    return Figure(
        svg=inline_svg(svg, prefix),
        caption=_caption(view, picture),
        description=_description(view, tracks),
        numbers=numbers_behind(view, picture),
    )


def _tracks(view: View, spans: Sequence[AdviceSpan], picture: DrugPicture) -> Iterator[Track]:
    slots, record = slots_of(view), view.record
    yield phase_track(view)
    if view.drug.given:
        yield concentration_track(view, picture)
    if record.first(FeltEffectRated) is not None:
        yield felt_track(view, picture, slots)
    if view.exposure.blocks or bool(record.of(SudsRated)) or bool(record.of(UrgeRated)):
        yield distress_track(view, slots)
    if view.exposure.blocks:
        yield block_track(view)
    if bool(record.of(RitualSeen)) or bool(record.of(Coached)):
        yield ritual_track(view)
    yield from _safety(view)
    yield advice_track(spans)


def _safety(view: View) -> Iterator[Track]:
    vitals = [item.event for item in view.record.of(VitalsTaken)]
    if any(event.systolic_mmhg is not None for event in vitals):
        yield pressure_track(view, slots_of(view))
    if any(event.heart_rate_per_min is not None for event in vitals):
        yield heart_rate_track(view)
    if any(event.spo2_pct is not None for event in vitals):
        yield saturation_track(view)
    if view.record.first(SedationRated) is not None:
        yield sedation_track(view)
    harms = harm_track(view)
    if harms is not None:
        yield harms


def _moments(view: View) -> Iterator[tuple[int, str]]:
    """Minute 0 and what the effect rule read off the ratings."""
    assert view.t0_ms is not None
    yield view.t0_ms, "start" if view.drug.given else "first exposure"
    effect = view.effect
    for at_ms, name in ((effect.onset_ms, "onset"), (effect.peak_ms, "peak"), (effect.resolved_ms, "effect gone")):
        if at_ms is not None:
            yield at_ms, name


def _note(picture: DrugPicture) -> str:
    """What goes with the picture wherever it goes: which lines are a model's, and how that model came about."""
    made = picture.prediction
    if made is None:
        return ""
    parts = [f"Model output: drug level {made.model.name}, {made.sampling_site}"]
    parts += [f"forecast: {picture.link.name}, {picture.link.status}"] if picture.forecasts and picture.link else []
    return "; ".join(parts) + ". It decided nothing."


def _caption(view: View, picture: DrugPicture) -> str:
    zero = "start of administration" if view.drug.given else "first exposure"
    words = f"Every track on the same minutes; minute 0 is the recorded {zero}."
    if view.drug.given:
        words += " Onset, peak and end of the felt effect are read off its ratings by the protocol's effect rule."
    made = picture.prediction
    if made is not None:
        words += (
            f" Model output, which decided nothing: predicted {made.model.agent} in {made.sampling_site} "
            f"({made.model.name}; {made.who}), and the forecast of the felt effect, whose bands are of the curve "
            f"itself, without the scatter of single ratings. {' '.join(picture.caveats)}"
        )
    elif view.drug.given:
        words += f" {picture.why_not}"
    return words + " The tables below hold every number; on a screen, a mark under the pointer tells its value."


def _description(view: View, tracks: Sequence[Track]) -> str:
    first, last = span_of(view)
    names = ", ".join(track.title.lower() for track in tracks)
    effect, parts = view.effect, []
    t0 = view.t0_ms or 0
    for at_ms, name in ((effect.onset_ms, "onset"), (effect.peak_ms, "peak"), (effect.resolved_ms, "end")):
        if at_ms is not None:
            parts.append(f"{name} at {(at_ms - t0) / 60_000:.0f} min")
    felt = f" Felt effect: {', '.join(parts)}." if parts else ""
    return f"Time line from minute {first:g} to {last:g}. Tracks: {names}.{felt} The numbers are in the tables below."
