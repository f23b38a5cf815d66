"""Figures of the office as geometry: numbers in, shapes out. Templates draw them as SVG without inline style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 480, 248
BAR = 300
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 28, 48  # axis titles stand above and below


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A line chart: polylines as `points` of an SVG polyline, ticks, axis titles, and the same as table rows."""

    lines: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    plan: str
    area: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    rows: tuple[tuple[str, str], ...]
    x_title: str
    y_title: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    bottom: int = HEIGHT - BOTTOM
    right: int = WIDTH - RIGHT


@dataclass(frozen=True, slots=True)
class Bar:
    """One horizontal bar."""

    label: str
    value: int
    of: int
    width: float
    kind: str = ""


def _scaled(value: float, low: float, high: float, start: float, end: float) -> float:
    return start if high <= low else round(start + (value - low) / (high - low) * (end - start), 1)


def _y(value: float, top: float) -> float:
    return _scaled(value, 0, top, HEIGHT - BOTTOM, TOP)


def _points(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in pairs)


def _steps(highest: float) -> list[float]:
    """A few round numbers from 0 to at least `highest`."""
    size = next(step for step in (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 10**6) if highest / step <= 5)
    return [size * number for number in range(int(-(-highest // size)) + 1)]


def recruitment(days: Sequence[date], target: int, today: date) -> Chart | None:
    """Cumulative participants by day, against the planned number. None before the first one."""
    if not days:
        return None
    ordered = sorted(days)
    first, last = ordered[0].toordinal(), max(today.toordinal(), ordered[-1].toordinal() + 1)
    steps = _steps(max(len(ordered), target, 1))
    corners: list[tuple[float, float]] = [(LEFT, _y(0, steps[-1]))]
    for number, day in enumerate(ordered, start=1):
        x = _scaled(day.toordinal(), first, last, LEFT, WIDTH - RIGHT)
        corners += [(x, corners[-1][1]), (x, _y(number, steps[-1]))]
    corners.append((WIDTH - RIGHT, corners[-1][1]))
    floor = _y(0, steps[-1])
    plan = f"{LEFT},{_y(target, steps[-1])} {WIDTH - RIGHT},{_y(target, steps[-1])}" if target else ""
    return Chart(
        lines=(_points(corners),),
        dots=(corners[-1],),
        plan=plan,
        area=_points([*corners, (WIDTH - RIGHT, floor), (LEFT, floor)]),
        x_ticks=_day_ticks(first, last),
        y_ticks=tuple(Tick(_y(step, steps[-1]), f"{step:g}") for step in steps),
        rows=tuple((day.isoformat(), str(number)) for number, day in enumerate(ordered, start=1)),
        x_title="day of registration",
        y_title="participants registered",
    )


def _day_ticks(first: int, last: int) -> tuple[Tick, ...]:
    days = sorted({first, first + (last - first) // 2, last})
    places = [_scaled(day, first, last, LEFT, WIDTH - RIGHT) for day in days]
    return tuple(Tick(x, f"{date.fromordinal(d):%-d %b}") for x, d in zip(places, days, strict=True))


def trajectories(
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]], highest: float, outcome: str
) -> Chart | None:
    """One line per participant over study days; no arm. `outcome` is what is drawn."""
    flat = [point for _, points in series for point in points]
    if not flat:
        return None
    low, high = min(day for day, _ in flat), max(1.0, *(day for day, _ in flat))
    steps = _steps(highest)

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return _scaled(point[0], low, high, LEFT, WIDTH - RIGHT), _y(point[1], steps[-1])

    days = sorted({day for day, _ in flat})
    return Chart(
        lines=tuple(_points([place(point) for point in points]) for _, points in series),
        dots=tuple(place(point) for point in flat),
        plan="",
        area="",
        x_ticks=tuple(Tick(place((day, 0))[0], f"{day:g}") for day in days[:: max(1, len(days) // 6)]),
        y_ticks=tuple(Tick(_y(step, steps[-1]), f"{step:g}") for step in steps),
        rows=tuple((f"{name}, day {day:g}", f"{value:g}") for name, points in series for day, value in points),
        x_title="study day",
        y_title=outcome,
    )


def bars(counts: Sequence[tuple[str, int, int, str]]) -> tuple[Bar, ...]:
    """Horizontal bars of (label, value, of, kind): the share of each `of` that is reached."""
    return tuple(Bar(label, value, of, _scaled(value, 0, of, 0, BAR), kind) for label, value, of, kind in counts)
