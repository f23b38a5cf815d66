"""The frame of a time line: one minute axis for every track, a gutter for titles and keys, lines for what is felt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kerp.base.elapsed import MS_PER_MIN
from kerp.report.session.canvas import (
    FAINT,
    FELT,
    GRID,
    INK,
    SOFT,
    Canvas,
    Scale,
    cut,
    number,
    spread,
    width_of,
)
from kerp.session.events import Discharged
from kerp.session.view import View

WIDTH, LEFT, RIGHT = 960.0, 178.0, 892.0  # units; 182 mm of an A4 page make 12 units a 6.5 point letter
HEAD, FOOT, GAP, NOTE = 44.0, 30.0, 9.0, 16.0
BEFORE_MIN = 45.0  # technical: how much of the preparation is shown at most


@dataclass(frozen=True, slots=True)
class Key:
    """One line of a track's key: a sample of the mark or line, and what it stands for."""

    words: str
    sample: Callable[[Canvas, float, float], None] | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """One track: title, key, height, and how it draws itself below `top`."""

    title: str
    height: float
    draw: Callable[[Frame, float], None]
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Frame:
    """Where a minute lies, and the canvas."""

    canvas: Canvas
    x: Scale
    t0_ms: int

    def minute(self, at_ms: int) -> float:
        """Minutes since T0."""
        return (at_ms - self.t0_ms) / MS_PER_MIN

    def at(self, at_ms: int) -> float:
        """Where a moment lies, pulled to the end of the axis where it lies beyond."""
        return self.x(self.x.clipped(self.minute(at_ms)))

    def shows(self, at_ms: int) -> bool:
        """Whether a moment lies on the axis."""
        return self.x.inside(self.minute(at_ms))

    def level(self, y: float, words: str = "", colour: str = FAINT, **style: Any) -> None:
        """A line across the track; its label stands in the right margin."""
        self.canvas.line((LEFT, y), (RIGHT, y), stroke=colour, stroke_width=style.pop("stroke_width", 0.8), **style)
        if words:
            self.canvas.text(RIGHT + 5, y + 4, words, fill=colour, font_size=11)

    def ticks(self, scale: Scale, values: Sequence[float]) -> None:
        """Values of an upright axis, left of the plot."""
        for value in values:
            y = scale(value)
            self.canvas.line((LEFT, y), (RIGHT, y), stroke=GRID, stroke_width=0.8)
            self.canvas.text(LEFT - 5, y + 4, f"{value:g}", text_anchor="end", fill=SOFT, font_size=11)

    def limits(self, scale: Scale, limits: Sequence[tuple[float, str, str, str]]) -> None:
        """Threshold lines (value, words, colour, dash) with labels that do not run into one another."""
        ordered = sorted((limit for limit in limits if scale.inside(limit[0])), key=lambda limit: scale(limit[0]))
        low, high = sorted((scale.at_low, scale.at_high))
        labels = spread([scale(limit[0]) for limit in ordered], 11.5, low + 2, high)
        for (value, words, colour, dash), y in zip(ordered, labels, strict=True):
            self.level(scale(value), colour=colour, stroke_dasharray=dash, stroke_width=1)
            self.canvas.text(RIGHT + 5, y + 4, words, fill=colour, font_size=11)


def span_of(view: View) -> tuple[float, float]:
    """First and last minute of the axis: some of the preparation, all until discharge, in whole ten minutes."""
    t0 = view.t0_ms
    assert t0 is not None
    left = view.record.strands
    times = [(item.at_ms - t0) / MS_PER_MIN for series in left for item in series if item.entry.session]
    first, last = max(min(times), -BEFORE_MIN), max(min(max(times), _left_min(view, t0)), 10.0)
    return math.floor(first / 5) * 5.0, math.ceil((last + 1) / 5) * 5.0


def _left_min(view: View, t0_ms: int) -> float:
    left = view.record.last(Discharged)
    return math.inf if left is None else (left.at_ms - t0_ms) / MS_PER_MIN


def drawn(view: View, tracks: Sequence[Track], title: str, marks: Sequence[tuple[int, str]], note: str = "") -> str:
    """The whole time line as SVG. `marks` are moments that run through every track, with their names.

    `note` stands under the axis: what must be said wherever the picture goes.
    """
    assert view.t0_ms is not None
    height = HEAD + sum(track.height + GAP for track in tracks) + FOOT + (NOTE if note else 0)
    canvas = Canvas(WIDTH, height, title)
    first, last = span_of(view)
    frame = Frame(canvas, Scale(first, last, LEFT, RIGHT), view.t0_ms)
    bottom = height - FOOT - (NOTE if note else 0)
    canvas.rect(0, 0, WIDTH, height, fill="#fff")
    _minutes(frame, bottom)
    _moments(frame, marks, bottom)
    top = HEAD
    for track in tracks:
        _titled(canvas, track, top)
        track.draw(frame, top)
        top += track.height + GAP
    if note:
        canvas.text(4, height - 6, cut(note, WIDTH - 8, 10.5), fill=SOFT, font_size=10.5)
    return canvas.svg


def _minutes(frame: Frame, bottom: float) -> None:
    """The minute axis at the top and at the bottom, and its lines."""
    canvas, x = frame.canvas, frame.x
    step = 10 if x.high - x.low <= 240 else 20
    for minute in _multiples(x.low, x.high, step):
        at = x(minute)
        canvas.line((at, HEAD - 6), (at, bottom), stroke=GRID, stroke_width=0.8)
        for y in (HEAD - 11, bottom + 14):
            canvas.text(at, y, number(minute).replace("-", "−"), text_anchor="middle", fill=SOFT, font_size=11)
    zero = x(0.0)
    canvas.line((zero, HEAD - 6), (zero, bottom), stroke=INK, stroke_width=1.2)
    for y in (HEAD - 11, bottom + 14):
        canvas.text(LEFT - 12, y, "minutes", text_anchor="end", fill=SOFT, font_size=11)


def _multiples(low: float, high: float, step: int) -> Iterator[int]:
    yield from range(math.ceil(low / step) * step, math.floor(high / step) * step + 1, step)


def _moments(frame: Frame, marks: Sequence[tuple[int, str]], bottom: float) -> None:
    """Dashed lines of onset, peak, resolution; names above the axis, pushed apart where they would touch."""
    canvas = frame.canvas
    shown = sorted((at_ms, name) for at_ms, name in marks if frame.shows(at_ms))
    end = LEFT
    for at_ms, name in shown:
        x = frame.at(at_ms)
        colour = INK if frame.minute(at_ms) == 0 else FELT
        if frame.minute(at_ms) != 0:
            canvas.line((x, HEAD - 6), (x, bottom), stroke=colour, stroke_width=1, stroke_dasharray="2 3")
        half = width_of(name, 11.5) / 2 + 5
        centre = max(x, end + half)
        canvas.text(centre, 14, name, text_anchor="middle", fill=colour, font_size=11.5, font_weight="bold")
        canvas.line((x, HEAD - 22), (centre, 17), stroke=colour, stroke_width=0.8)
        end = centre + half


def _titled(canvas: Canvas, track: Track, top: float) -> None:
    """Title and key in the gutter."""
    canvas.line((0, top - GAP / 2), (RIGHT, top - GAP / 2), stroke=GRID, stroke_width=0.8)
    canvas.text(4, top + 11, cut(track.title, LEFT - 10, 12.5), font_weight="bold", font_size=12.5)
    for line, key in enumerate(track.keys, start=1):
        y = top + 12 + line * 14.5
        if key.sample is not None:
            key.sample(canvas, 13, y - 4)
        canvas.text(28 if key.sample else 4, y, key.words, fill=SOFT, font_size=11)
