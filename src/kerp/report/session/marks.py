"""Marks that several tracks share: samples for keys, a rated line, crosses for what was asked and not answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kerp.report.session.canvas import Canvas, Scale
from kerp.report.session.frame import Frame
from kerp.session.events import Observed
from kerp.session.limits import LATE_AFTER_MS
from kerp.session.prompts import Slot, SlotState

Sample = Callable[[Canvas, float, float], None]
_ABSENT = {SlotState.MISSED: "asked too late or not at all", SlotState.DECLINED: "asked, not answered"}


def dot(shape: str, colour: str, *, hollow: bool = False) -> Sample:
    """A sample of a mark."""

    def sample(canvas: Canvas, x: float, y: float) -> None:
        canvas.mark(x, y, shape, 3.8, **mark_style(shape, colour, hollow=hollow))

    return sample


def stroke(colour: str, *, width: float = 1.4, dash: str = "none") -> Sample:
    """A sample of a line."""

    def sample(canvas: Canvas, x: float, y: float) -> None:
        canvas.line((x - 8, y), (x + 8, y), stroke=colour, stroke_width=width, stroke_dasharray=dash)

    return sample


def fill(colour: str, opacity: float = 1.0) -> Sample:
    """A sample of an area."""

    def sample(canvas: Canvas, x: float, y: float) -> None:
        canvas.rect(x - 8, y - 4, 16, 8, fill=colour, fill_opacity=opacity, stroke=colour, stroke_width=0.4)

    return sample


def mark_style(shape: str, colour: str, *, hollow: bool = False) -> dict[str, Any]:
    """How a mark of a shape is filled."""
    if shape in {"cross", "bar"}:
        return {"stroke": colour, "stroke_width": 1.4}
    if hollow:
        return {"fill": "#fff", "stroke": colour, "stroke_width": 1.4}
    return {"fill": colour, "stroke": "#fff", "stroke_width": 0.8}


def rated(
    frame: Frame,
    scale: Scale,
    items: Sequence[Observed[Any]],
    shape: str,
    colour: str,
    name: str,
    *,
    hollow: bool = False,
    dash: str = "none",
) -> None:
    """Ratings joined by a line; one that was written down late wears a ring."""
    shown = [item for item in items if frame.shows(item.at_ms)]
    points = [(frame.at(item.at_ms), scale(item.event.value)) for item in shown]
    frame.canvas.path(points, stroke=colour, stroke_width=1.3, stroke_dasharray=dash)
    for item, (x, y) in zip(shown, points, strict=True):
        late = item.entry.recorded_ms - item.at_ms > LATE_AFTER_MS and not item.entry.queued
        if late:
            frame.canvas.mark(x, y, "circle", 7, fill="none", stroke=colour, stroke_width=1, stroke_dasharray="2 1.5")
        words = ", written down late" if late else ""
        tip = f"{name} {item.event.value:g} at {frame.minute(item.at_ms):.0f} min{words}"
        frame.canvas.mark(x, y, shape, 3.8, tip, **mark_style(shape, colour, hollow=hollow))


def missed(frame: Frame, y: float, slots: Sequence[Slot], instrument: str, colour: str) -> None:
    """A cross where a rating was due and there is none: missing, never zero (M21)."""
    for slot in slots:
        if slot.prompt.instrument == instrument and slot.state in _ABSENT and frame.shows(slot.due_ms):
            tip = f"{slot.prompt.title}, due at {frame.minute(slot.due_ms):.0f} min: {_ABSENT[slot.state]}"
            x = frame.at(slot.due_ms)
            frame.canvas.mark(x, y, "cross", 5, fill="none", stroke="#fff", stroke_width=4)
            frame.canvas.mark(x, y, "cross", 4, tip, stroke=colour, stroke_width=1.6)
