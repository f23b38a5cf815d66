"""SVG written directly: shapes, text and scales, no drawing library. The same calls give the same bytes.

Lengths are units of the picture's own coordinate system; the page decides how wide it is shown. Everything differs by
shape, dash or hatching as well as by colour, so that a grey copy says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

FONT = "Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', sans-serif"
INK, SOFT, FAINT, GRID = "#16202a", "#51606f", "#8b98a5", "#e3e8ed"
DRUG, FELT, SUDS, URGE, EXPOSURE, PULSE = "#0b5c7a", "#5b3a8c", "#a63a00", "#6d5a00", "#2c6444", "#3b4a58"
STOP, HOLD, WARN, INFO = "#8f0f2f", "#a34700", "#806000", "#5d6b78"
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from values to picture units; `to` may run upwards."""

    low: float
    high: float
    at_low: float
    at_high: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.at_low + share * (self.at_high - self.at_low)

    def inside(self, value: float) -> bool:
        """Whether a value lies on the scale."""
        return self.low <= value <= self.high

    def clipped(self, value: float) -> float:
        """The value, or the end of the scale beyond which it lies."""
        return min(max(value, self.low), self.high)


def number(value: float) -> str:
    """A coordinate without noise: at most one decimal."""
    return (
        f"{value:.1f}".removesuffix(".0").replace("-0", "0")
        if abs(value) < 0.05
        else f"{value:.1f}".removesuffix(".0")
    )


@dataclass
class Canvas:
    """A picture being drawn. `svg` is the whole of it."""

    width: float
    height: float
    title: str
    parts: list[str] = field(default_factory=list)

    @property
    def svg(self) -> str:
        """The picture; its ids are its own."""
        size = f'viewBox="0 0 {number(self.width)} {number(self.height)}"'
        name = f'role="img" aria-label="{escape(self.title)}"'
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {name} font-family="{FONT}" font-size="12" fill="{INK}">'
        )
        return "\n".join([head, _DEFS, *self.parts, "</svg>"])

    def rect(self, x: float, y: float, width: float, height: float, tip: str = "", **style: Any) -> None:
        """A rectangle."""
        place = f'x="{number(x)}" y="{number(y)}" width="{number(max(width, 0))}" height="{number(max(height, 0))}"'
        self._add("rect", place, style, tip)

    def line(self, start: Point, end: Point, tip: str = "", **style: Any) -> None:
        """A straight line."""
        place = f'x1="{number(start[0])}" y1="{number(start[1])}" x2="{number(end[0])}" y2="{number(end[1])}"'
        self._add("line", place, {"stroke": INK, "stroke_width": 1} | style, tip)

    def path(self, points: Iterable[Point], tip: str = "", *, closed: bool = False, **style: Any) -> None:
        """A line through points, or the area they enclose."""
        steps = "L".join(f"{number(x)} {number(y)}" for x, y in points)
        shape = {"fill": INK} if closed else {"fill": "none", "stroke": INK, "stroke_width": 1.5}
        if steps:
            self._add(
                "path", f'd="M{steps}{"Z" if closed else ""}"', shape | {"stroke_linejoin": "round"} | style, tip
            )

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], **style: Any) -> None:
        """The area between two lines over the same xs."""
        there, back = zip(xs, high, strict=True), zip(reversed(xs), reversed(low), strict=True)
        self.path([*there, *back], closed=True, **({"stroke": "none"} | style))

    def text(self, x: float, y: float, words: str, **style: Any) -> None:
        """Words with their baseline at `y`; a white outline keeps them readable across lines."""
        outline = {"stroke": "#fff", "stroke_width": 3, "paint_order": "stroke", "stroke_linejoin": "round"}
        plain = bool(style.pop("plain", False))
        attributes = _attributes(style if plain else outline | style)
        self.parts.append(f'<text x="{number(x)}" y="{number(y)}"{attributes}>{escape(words)}</text>')

    def mark(self, x: float, y: float, shape: str, size: float = 4, tip: str = "", **style: Any) -> None:
        """A point: circle, square, diamond, up, down, cross, bar."""
        if shape == "circle":
            self._add("circle", f'cx="{number(x)}" cy="{number(y)}" r="{number(size)}"', style, tip)
        elif shape in {"cross", "bar"}:
            self._add("path", f'd="{_STROKES[shape](x, y, size)}"', {"fill": "none"} | style, tip)
        else:
            points = " ".join(f"{number(x + dx * size)},{number(y + dy * size)}" for dx, dy in _SHAPES[shape])
            self._add("polygon", f'points="{points}"', style, tip)

    def _add(self, tag: str, place: str, style: dict[str, Any], tip: str) -> None:
        head = f"<{tag} {place}{_attributes(style)}"
        self.parts.append(f"{head}><title>{escape(tip)}</title></{tag}>" if tip else f"{head}/>")


_SHAPES: dict[str, tuple[Point, ...]] = {
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "diamond": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
    "up": ((0, -1.15), (1.1, 0.9), (-1.1, 0.9)),
    "down": ((0, 1.15), (1.1, -0.9), (-1.1, -0.9)),
}


def _cross(x: float, y: float, size: float) -> str:
    left, right, top, bottom = number(x - size), number(x + size), number(y - size), number(y + size)
    return f"M{left} {top}L{right} {bottom}M{left} {bottom}L{right} {top}"


def _bar(x: float, y: float, size: float) -> str:
    return f"M{number(x)} {number(y - size)}L{number(x)} {number(y + size)}"


_STROKES = {"cross": _cross, "bar": _bar}


def _attributes(style: dict[str, Any]) -> str:
    return "".join(f' {key.replace("_", "-")}="{escape(str(value))}"' for key, value in style.items())


def _hatch(name: str, colour: str, angle: int, gap: int) -> str:
    line = f'<line x1="0" y1="0" x2="0" y2="{gap}" stroke="{colour}" stroke-width="1.6"/>'
    turn = f'patternTransform="rotate({angle})"'
    return f'<pattern id="{name}" width="{gap}" height="{gap}" patternUnits="userSpaceOnUse" {turn}>{line}</pattern>'


_DEFS = (
    "<defs>"
    + _hatch("hatch-exposure", EXPOSURE, 45, 5)
    + _hatch("hatch-suds", SUDS, 45, 4)
    + _hatch("hatch-hold", HOLD, 45, 4)
    + _hatch("hatch-hidden", "#b6c0ca", 45, 9)
    + "</defs>"
)


def width_of(words: str, size: float = 12) -> float:
    """About how wide words are in the widest font of the list; used to see whether a label fits."""
    return (
        sum(0.36 if letter in "ijltfr.,:;|'()[]1 " else 0.82 if letter in "mwMW%—" else 0.62 for letter in words)
        * size
    )


def cut(words: str, room: float, size: float = 12) -> str:
    """Words, or as many letters as fit and an ellipsis."""
    if width_of(words, size) <= room:
        return words
    while words and width_of(words + "…", size) > room:
        words = words[:-1]
    return words.rstrip() + "…"


def spread(wanted: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Label positions near the wanted ones (in rising order), at least `apart` from one another, between the ends."""
    placed: list[float] = []
    for position in wanted:
        placed.append(max(position, placed[-1] + apart) if placed else max(position, low))
    ceiling = high
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - apart
    return placed
