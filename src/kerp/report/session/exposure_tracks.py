"""Tracks of the exposure: distress and urge, blocks with their intensity, rituals and coaching."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise

from kerp.report.session.canvas import EXPOSURE, SOFT, SUDS, URGE, Canvas, Scale, cut
from kerp.report.session.frame import Frame, Key, Track
from kerp.report.session.marks import dot, fill, mark_style, missed, rated, stroke
from kerp.session.events import (
    Coached,
    Demand,
    ExposureHeld,
    ExposureResumed,
    Ritual,
    RitualSeen,
    Strand,
    SudsRated,
    UrgeRated,
)
from kerp.session.exposure_track import Block
from kerp.session.falls import Fall, falls_of
from kerp.session.prompts import Slot
from kerp.session.view import View

_SHAPES = {
    Ritual.OVERT: ("square", False),
    Ritual.MENTAL: ("diamond", False),
    Ritual.REASSURANCE: ("up", False),
    Ritual.AVOIDANCE: ("down", True),
    Ritual.DISTRACTION: ("circle", True),
}


def distress_track(view: View, slots: Sequence[Slot]) -> Track:
    """SUDS and urge, and under them each fall of SUDS with whether it may count as habituation (M10)."""
    keys = (
        Key("SUDS, 0 to 100", _line("square", SUDS)),
        Key("urge, 0 to 100", _line("up", URGE, hollow=True, dash="4 3")),
        Key("asked, not rated", dot("cross", SUDS)),
        Key("written down late", _ringed),
        Key("fall: habituation", fill(SUDS)),
        Key("fall: other causes too", fill("url(#hatch-suds)")),
    )
    return Track("Distress and urge", 132, lambda frame, top: _distress(frame, top, view, slots), keys)


def _line(
    shape: str, colour: str, *, hollow: bool = False, dash: str = "none"
) -> Callable[[Canvas, float, float], None]:
    def sample(canvas: Canvas, x: float, y: float) -> None:
        stroke(colour, dash=dash)(canvas, x, y)
        dot(shape, colour, hollow=hollow)(canvas, x, y)

    return sample


def _ringed(canvas: Canvas, x: float, y: float) -> None:
    canvas.mark(x, y, "circle", 6, fill="none", stroke=SUDS, stroke_dasharray="2 1.5")
    dot("square", SUDS)(canvas, x, y)


def _distress(frame: Frame, top: float, view: View, slots: Sequence[Slot]) -> None:
    scale = Scale(0, 100, top + 112, top + 6)
    frame.ticks(scale, (0, 50, 100))
    rated(frame, scale, view.record.of(UrgeRated), "up", URGE, "urge", hollow=True, dash="4 3")
    rated(frame, scale, view.record.of(SudsRated), "square", SUDS, "SUDS")
    missed(frame, top + 112, slots, "urge", URGE)
    missed(frame, top + 112, slots, "suds", SUDS)
    for fall in falls_of(view):
        _fall(frame, top + 121, fall)


def _fall(frame: Frame, y: float, fall: Fall) -> None:
    start, end = frame.at(fall.from_ms), frame.at(fall.to_ms)
    style = "#a63a00" if fall.is_habituation else "url(#hatch-suds)"
    tip = f"SUDS {fall.from_suds} to {fall.to_suds} in block {fall.block}: {', '.join(fall.causes)}"
    frame.canvas.rect(start, y, end - start, 8, tip, fill=style, stroke=SUDS, stroke_width=0.8)


def block_track(view: View) -> Track:
    """Blocks as high as they are intense; low demand is hatched, a pause is empty."""
    keys = (
        Key("height: intensity"),
        Key("full demand", fill(EXPOSURE, 0.55)),
        Key("low demand", fill("url(#hatch-exposure)")),
    )
    return Track("Exposure blocks", 62, lambda frame, top: _blocks(frame, top, view), keys)


def _blocks(frame: Frame, top: float, view: View) -> None:
    scale = Scale(0, 1, top + 58, top + 16)
    frame.ticks(scale, (0, 1))
    for block in view.exposure.blocks:
        _block(frame, scale, view, block)
    runs = [list(run) for _, run in groupby(view.exposure.blocks, key=lambda block: block.item)]
    ends = [frame.at(run[0].started_ms) for run in runs[1:]] + [frame.x.at_high]
    for run, room_to in zip(runs, ends, strict=True):
        start = frame.at(run[0].started_ms)
        frame.canvas.text(start, top + 11, cut(run[0].item, room_to - start - 3, 11), font_size=11, fill=SOFT)


def _block(frame: Frame, scale: Scale, view: View, block: Block) -> None:
    """The steps of one block, without its pauses."""
    end_ms = block.ended_ms if block.ended_ms is not None else view.now_ms
    times = [*(step.at_ms for step in block.steps), end_ms]
    for step, (from_ms, to_ms) in zip(block.steps, pairwise(times), strict=True):
        style = (
            {"fill": "url(#hatch-exposure)"}
            if step.demand is Demand.LOW
            else {"fill": EXPOSURE, "fill_opacity": 0.55}
        )
        y = scale(step.intensity)
        words = f"{block.name}, {block.item}: intensity {step.intensity:g}, {step.demand} demand"
        tip = f"{words}, {frame.minute(from_ms):.0f} to {frame.minute(to_ms):.0f} min"
        for start_ms, stop_ms in _without_pauses(view, block, from_ms, to_ms):
            start, stop = frame.at(start_ms), frame.at(stop_ms)
            frame.canvas.rect(start, y, stop - start, scale(0) - y, tip, stroke=EXPOSURE, stroke_width=1, **style)


def _without_pauses(view: View, block: Block, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """The stretches between two moments in which a block was not held."""
    found: list[tuple[int, int]] = []
    since: int | None = from_ms
    for item in view.record.strand(Strand.EXPOSURE):
        if getattr(item.event, "block", None) != block.name or item.at_ms >= to_ms:
            continue
        if isinstance(item.event, ExposureHeld) and since is not None:
            found += [(since, item.at_ms)] if item.at_ms > since else []
            since = None
        elif isinstance(item.event, ExposureResumed) and since is None:
            since = max(item.at_ms, from_ms)
    return [*found, (since, to_ms)] if since is not None else found


def ritual_track(view: View) -> Track:
    """What took the place of extinction (PAPER P22), and the coaching against it."""
    kinds = sorted({item.event.kind for item in view.record.of(RitualSeen)}, key=list(Ritual).index)
    names = {Ritual.DISTRACTION: "distraction", Ritual.AVOIDANCE: "avoidance"}
    keys = [
        Key(names.get(kind, f"{kind} ritual"), dot(_SHAPES[kind][0], SUDS, hollow=_SHAPES[kind][1])) for kind in kinds
    ]
    if Ritual.REASSURANCE in kinds:
        keys[kinds.index(Ritual.REASSURANCE)] = Key("reassurance", dot("up", SUDS))
    keys.append(Key("coaching", dot("bar", EXPOSURE)))
    height = max(36.0, 18 + 14.5 * len(keys))
    return Track("Rituals", height, lambda frame, top: _rituals(frame, top, view), tuple(keys))


def _rituals(frame: Frame, top: float, view: View) -> None:
    upper, lower = top + 14, top + 34
    for item in view.record.of(RitualSeen):
        if not frame.shows(item.at_ms):
            continue
        event, x = item.event, frame.at(item.at_ms)
        shape, hollow = _SHAPES[event.kind]
        if event.duration_s:
            end = frame.at(item.at_ms + round(event.duration_s * 1000))
            frame.canvas.line((x, upper), (max(end, x + 1), upper), stroke=SUDS, stroke_width=3, stroke_opacity=0.45)
        times = f" × {event.count}" if event.count > 1 else ""
        tip = f"{event.kind}{times} at {frame.minute(item.at_ms):.0f} min, judged by {event.judged_by}"
        frame.canvas.mark(x, upper, shape, 5, tip, **mark_style(shape, SUDS, hollow=hollow))
        if event.count > 1:
            frame.canvas.text(x + 7, upper + 4, str(event.count), font_size=11, fill=SUDS)
    for coached in view.record.of(Coached):
        if frame.shows(coached.at_ms):
            tip = f"coaching at {frame.minute(coached.at_ms):.0f} min"
            frame.canvas.mark(frame.at(coached.at_ms), lower, "bar", 5, tip, stroke=EXPOSURE, stroke_width=2)
