"""Forecast of the felt effect: a panel of drawn curves, reweighted by what the patient has rated so far.

Pure functions over arrays; no state. The panel is rebuilt when the dose changes and reweighted at every rating. It is
model output, shown as such; nothing in a session is ever decided by it (design: predictions never gate a session).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from kerp.base.errors import Fault, KerpError
from kerp.drug.effect import Link, drawn_c50, drawn_gain, felt_effect, load_link
from kerp.drug.events import Doses
from kerp.drug.model import DrugModel
from kerp.drug.population import People, draw

Host = NDArray[np.float64]

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)  # ends of the 90 % band, of the 50 % band, and the middle
UNEXPLAINED = 0.001  # a rating less likely than this, given the ones before it, is said out loud
FEW_CURVES = 50.0  # effective curves below which bands are shown as coarse


@dataclass(frozen=True, slots=True)
class Rating:
    """A felt-effect rating (0 to 10) at `at_min` after administration onset."""

    at_min: float
    value: float


@dataclass(frozen=True, slots=True)
class EffectRule:
    """When an effect counts as begun and as gone, in points over baseline (protocol data, PAPER P29 to P31)."""

    onset_rise: float
    resolution_rise: float


@dataclass(frozen=True)
class Panel:
    """Drawn curves: `rise` (curves, times) in points over baseline, and each curve's own times (curves,).

    A curve that never reaches the onset threshold has NaN onset and resolution; one that has not resolved within the
    panel's times has infinite resolution. `order` (times, curves) sorts each minute's values once.
    """

    times_min: Host
    rise: NDArray[np.float64]
    onset_min: Host
    peak_min: Host
    resolution_min: Host
    order: NDArray[np.intp]
    noise_sd: float
    stray: float
    top: float
    rule: EffectRule
    dose_mg: float
    end_min: float
    model: str
    link: str
    caveats: tuple[str, ...]

    @property
    def curves(self) -> int:
        return int(self.rise.shape[0])


@dataclass(frozen=True)
class Band:
    """Weighted quantiles: middle, 50 % band and 90 % band. None where that quantile lies beyond what was computed."""

    low_90: float | None
    low_50: float | None
    median: float | None
    high_50: float | None
    high_90: float | None


@dataclass(frozen=True)
class Forecast:
    """When effects begin, peak and end, and the rating expected at each of the panel's times.

    `felt` is (5, times): quantiles 5, 25, 50, 75, 95 % of the curve itself, rating noise left out. `chance_of_onset`
    and `chance_of_resolution` say how much of the weight has such a time within the panel; bands are over that part.
    """

    times_min: Host
    felt: NDArray[np.float64]
    onset: Band
    peak: Band
    resolution: Band
    chance_of_onset: float
    chance_of_resolution: float
    effective_curves: float
    curves: int
    explained: bool
    unexplained: tuple[Rating, ...]
    statement: str
    caveats: tuple[str, ...]


def build_panel(
    model: DrugModel,
    who: People,
    doses: Doses,
    times_min: Any,
    rule: EffectRule,
    seed: int,
    link: Link | None = None,
) -> Panel:
    """Draw `who.count` felt-effect curves for what is being given (the plan as it stands) at `times_min`."""
    link, scale = link or load_link(), load_link("felt_rating", "felt_rating")
    parameters = draw(model, who, seed)
    c50, gain = drawn_c50(link, who.count, seed), drawn_gain(scale, who.count, seed)
    effect = felt_effect(link, model, parameters, doses, times_min, c50)
    rise = np.minimum(scale["top"] * gain[:, None] * effect.felt, scale["top"])
    caveats = (*effect.caveats, *scale.caveats)
    return panel_of(rise, effect.times_min, doses, rule, scale, (model.id, link.id), caveats)


def panel_of(
    rise: NDArray[np.float64],
    times: Host,
    doses: Doses,
    rule: EffectRule,
    scale: Link,
    names: tuple[str, str],
    caveats: tuple[str, ...],
) -> Panel:
    """A panel of given curves: each curve's onset, peak and resolution, and the order of values at each time."""
    peak_at = rise.argmax(axis=1)
    onset = _crossing(rise, rule.onset_rise, rise >= rule.onset_rise, times, np.nan)
    after = np.arange(times.size)[None, :] >= peak_at[:, None]
    gone = (rise <= rule.resolution_rise) & after & (times >= doses.end_min)[None, :]
    resolution = _crossing(rise, rule.resolution_rise, gone, times, np.inf)
    resolution = np.where(np.isnan(onset), np.nan, resolution)
    return Panel(
        times_min=times,
        rise=rise,
        onset_min=onset,
        peak_min=np.where(np.isnan(onset), np.nan, times[peak_at]),
        resolution_min=resolution,
        order=np.ascontiguousarray(np.argsort(rise, axis=0).T),
        noise_sd=scale["noise_sd"],
        stray=scale["stray"],
        top=scale["top"],
        rule=rule,
        dose_mg=doses.dose_mg,
        end_min=doses.end_min,
        model=names[0],
        link=names[1],
        caveats=caveats,
    )


def forecast(panel: Panel, ratings: Sequence[Rating], baseline: float = 0.0) -> Forecast:
    """Reweight the panel by ratings (in any order; those before its first time say nothing)."""
    used = sorted(_checked(panel, ratings), key=lambda rating: rating.at_min)
    weights, surprise = _weigh(panel, used, _within_scale(panel, baseline))
    unexplained = tuple(rating for rating, p in zip(used, surprise, strict=True) if p < UNEXPLAINED)
    effective = float(1 / np.sum(weights**2))
    onset, begun = _band(panel.onset_min, weights)
    peak, _ = _band(panel.peak_min, weights)
    resolution, ended = _band(panel.resolution_min, weights)
    return Forecast(
        times_min=panel.times_min,
        felt=np.minimum(baseline + _felt_quantiles(panel, weights), panel.top),
        onset=onset,
        peak=peak,
        resolution=resolution,
        chance_of_onset=begun,
        chance_of_resolution=ended,
        effective_curves=effective,
        curves=panel.curves,
        explained=not unexplained,
        unexplained=unexplained,
        statement=_statement(unexplained, effective, panel.curves),
        caveats=panel.caveats,
    )


def forecast_session(
    model: DrugModel,
    who: People,
    doses: Doses,
    ratings: Sequence[Rating],
    rule: EffectRule,
    times_min: Any,
    seed: int,
    baseline: float = 0.0,
) -> Forecast:
    """Panel and forecast in one call, for a session read back from its record: doses as given, ratings as given."""
    return forecast(build_panel(model, who, doses, times_min, rule, seed), ratings, baseline)


def quantiles(values: Host, weights: Host, levels: Sequence[float]) -> Host:
    """Weighted quantiles of `values` (n,): the least value with at least that much weight at or below it."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    index = np.searchsorted(reached, np.asarray(levels) * reached[-1] * (1 - 1e-12))
    return np.asarray(values[order][np.minimum(index, values.size - 1)])


def _weigh(panel: Panel, ratings: Sequence[Rating], baseline: float) -> tuple[Host, list[float]]:
    """Normalised weights (curves,) and, per rating, its probability given the ones before (a two-sided tail)."""
    log_weights = np.zeros(panel.curves)
    surprise = []
    for rating in ratings:
        expected = np.minimum(baseline + _at(panel, rating.at_min), panel.top)
        before = _normalised(log_weights)
        surprise.append(_tail(panel, rating.value, expected, before))
        log_weights = log_weights + _log_likelihood(panel, rating.value, expected)
    return _normalised(log_weights), surprise


def _log_likelihood(panel: Panel, value: float, expected: Host) -> Host:
    """Normal noise rounded to whole points, piled up at the ends of the scale, and a small share of stray ratings.

    The stray share keeps the sum far above round-off, so that no logarithm of a tail is needed.
    """
    below = 0.0 if value <= 0 else ndtr((value - 0.5 - expected) / panel.noise_sd)
    up_to = 1.0 if value >= panel.top else ndtr((value + 0.5 - expected) / panel.noise_sd)
    chance = (1 - panel.stray) * (up_to - below) + panel.stray / (panel.top + 1)
    return np.asarray(np.log(np.maximum(chance, np.finfo(np.float64).tiny)))


def _tail(panel: Panel, value: float, expected: Host, weights: Host) -> float:
    """Two-sided chance of a rating as far out as this one under the honest part of the weighted panel."""
    below = ndtr((value + 0.5 - expected) / panel.noise_sd)
    above = ndtr((expected - value + 0.5) / panel.noise_sd)
    return float(min(1.0, 2 * min(weights @ below, weights @ above)))


def _normalised(log_weights: Host) -> Host:
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum())


def _at(panel: Panel, at_min: float) -> Host:
    """Each curve at one minute (curves,), between the panel's times by straight line."""
    times = panel.times_min
    right = int(np.clip(np.searchsorted(times, at_min), 1, times.size - 1))
    share = (at_min - times[right - 1]) / (times[right] - times[right - 1])
    share = float(np.clip(share, 0, 1))
    return (1 - share) * panel.rise[:, right - 1] + share * panel.rise[:, right]


def _felt_quantiles(panel: Panel, weights: Host) -> NDArray[np.float64]:
    """(levels, times): weighted quantiles of the curves at every time, from the order kept in the panel."""
    reached = np.cumsum(weights[panel.order], axis=1)
    result = np.empty((len(LEVELS), panel.times_min.size))
    for column in range(panel.times_min.size):
        index = np.searchsorted(reached[column], np.asarray(LEVELS) * (1 - 1e-9))
        picked = panel.order[column, np.minimum(index, panel.curves - 1)]
        result[:, column] = panel.rise[picked, column]
    return result


def _band(values: Host, weights: Host) -> tuple[Band, float]:
    """Quantiles over the curves that have such a time, and the weight of those that have it within the panel."""
    has = ~np.isnan(values)
    total = float(weights[has].sum())
    if total < 1e-9:
        return Band(None, None, None, None, None), 0.0
    found = quantiles(values[has], weights[has], LEVELS)
    within = float(weights[np.isfinite(values)].sum())
    return Band(*(float(value) if np.isfinite(value) else None for value in found)), within


def _crossing(
    rise: NDArray[np.float64], level: float, true: NDArray[np.bool_], times: Host, otherwise: float
) -> Host:
    """When each curve first meets a condition (curves,), by straight line where it crosses `level`."""
    rows, index = np.arange(rise.shape[0]), true.argmax(axis=1)
    before = np.maximum(index - 1, 0)
    step = rise[rows, index] - rise[rows, before]
    crosses = (index > 0) & (step != 0) & ((rise[rows, before] - level) * (rise[rows, index] - level) <= 0)
    share = np.where(crosses, (level - rise[rows, before]) / np.where(step == 0, 1, step), 1.0)
    found = times[before] + share * (times[index] - times[before])
    return np.where(true.any(axis=1), found, otherwise)


def _statement(unexplained: tuple[Rating, ...], effective: float, curves: int) -> str:
    """What must be said beside the bands."""
    parts = [f"{effective:.0f} of {curves} curves carry the forecast."]
    if unexplained:
        listed = ", ".join(f"{rating.value:g} at {rating.at_min:g} min" for rating in unexplained)
        parts.append(f"The model cannot explain these ratings: {listed}. Trust the patient, not the forecast.")
    if effective < FEW_CURVES:
        parts.append("Few curves fit the ratings: the bands are coarse.")
    return " ".join(parts)


def _checked(panel: Panel, ratings: Sequence[Rating]) -> list[Rating]:
    for rating in ratings:
        _within_scale(panel, rating.value)
        if not np.isfinite(rating.at_min) or rating.at_min > panel.times_min[-1]:
            allowed = f"up to {panel.times_min[-1]:g} min"
            raise KerpError(
                Fault("a rating lies beyond the panel", "", None, "at_min", f"{rating.at_min:g}", allowed)
            )
    return [rating for rating in ratings if rating.at_min >= panel.times_min[0]]


def _within_scale(panel: Panel, value: float) -> float:
    if not np.isfinite(value) or not 0 <= value <= panel.top:
        raise KerpError(
            Fault("a felt-effect rating", field="value", found=f"{value:g}", allowed=f"0 to {panel.top:g}")
        )
    return value
