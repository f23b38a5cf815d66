"""From states to ratings: the mean a scale would show, its error, its window, its grain and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from kerp.base.data import path_of
from kerp.base.tomlfile import read_toml
from kerp.evidence.sourced import Mark, Sourced
from kerp.learning.contract import Array, Signals


@cache
def observation(identifier: str = "observation") -> Mapping[str, Mapping[str, Sourced]]:
    """Constants of the observation models by scale, from `data/priors/observation.toml`."""
    document = read_toml(path_of("priors", identifier))
    return {
        scale: {name: Sourced(**(entry | {"mark": Mark(entry["mark"])})) for name, entry in table.items()}
        for scale, table in document.data.items()
        if isinstance(table, dict)
    }


def constant(scale: str, name: str) -> float:
    """One constant, for example `constant("ybocs", "rater_sd")`."""
    return observation()[scale][name].value


def untreated(xp: Any, V0: Array, n0: Array, m: Array) -> tuple[Array, Array]:
    """`O` and `C` at the untreated rest, in every model: obsession is V0, neutralising n0."""
    return V0, (m + 0.5 * (1.0 - m)) * n0 * xp.sqrt(V0)


def ybocs_mean(obsession: Array, compulsion: Array) -> tuple[Array, Array]:
    """Expected obsession and compulsion subscales (0-20 each) from window means of `O` and `C`."""
    return constant("ybocs", "obsessions_points") * obsession, constant("ybocs", "compulsions_points") * compulsion


def ybocs_rated(obsession: Array, compulsion: Array, scale_use: Array, error: Array) -> Array:
    """What a rater writes down: whole points, each subscale 0-20, shaped like the window means.

    `scale_use` is the person's factor, `error` standard normal numbers with a last axis of two (obsessions,
    compulsions); the two subscale errors add up to the rater's SD of the total.
    """
    sd = constant("ybocs", "rater_sd") / np.sqrt(2.0)
    top = constant("ybocs", "subscale_max")
    o, c = ybocs_mean(obsession, compulsion)
    parts = [np.clip(np.rint(scale_use * mean + sd * error[..., k]), 0.0, top) for k, mean in enumerate((o, c))]
    return parts[0] + parts[1]


def suds(signals: Signals) -> Array:
    """Distress now, 0-100."""
    return 100.0 * signals.D


def cgi_improvement(fall_share: Array, error: Array | float = 0.0) -> Array:
    """CGI-I, 1 to 7, from the fall of the Y-BOCS as a share of baseline; `error` are standard normal numbers."""
    steps = [constant("cgi_i", name) for name in ("minimally_improved", "much_improved", "very_much_improved")]
    seen = np.asarray(fall_share) + constant("cgi_i", "rater_sd") * np.asarray(error)
    better = sum((seen >= step).astype(int) for step in steps)
    worse = sum((seen <= -step).astype(int) for step in steps)
    return 4 - better + worse


def ocd_vas(signals: Signals) -> Array:
    """Obsession now, 0-10: the acute measure, since the Y-BOCS asks about a week (DESIGN decision 5)."""
    return 10.0 * signals.O


def expectancy(signals: Signals) -> Array:
    """How likely the feared outcome is held to be, 0-100."""
    return 100.0 * signals.V


def urge(signals: Signals) -> Array:
    """Urge to neutralise now, 0-100: how probable a compulsion is, times the distress that asks for it."""
    return 100.0 * signals.n * signals.D


def felt_effect(F: Array, scale_use: Array) -> Array:
    """Felt effect 0-10, on each person's own use of the scale; apart from SUDS, or kappa_a and zeta confound."""
    return np.minimum(10.0 * F * scale_use, 10.0)


def ritual_rate_per_h(signals: Signals, overt_share: Array, adherence: Array) -> Array:
    """Expected overt rituals per hour in session: those that response prevention did not prevent."""
    return constant("rituals", "rate") * signals.n * overt_share * (1.0 - adherence)


def rated(mean: Array, sd: float, error: Array, top: float, digit: float = 0.0) -> Array:
    """A bounded rating with Gaussian error, whole, or on the person's preferred digits (`digit` points)."""
    grain = digit or 1.0
    return np.clip(np.rint((mean + sd * error) / grain) * grain, 0.0, top)


def windows_days() -> dict[str, float]:
    """Reference period of each Y-BOCS form: a week, a day, an hour."""
    return {scale: constant(scale, "window") for scale in ("ybocs", "aybocs", "yboccs")}


def response(baseline: Array, now: Array, percent: float) -> Any:
    """Whether the score fell by at least `percent` of baseline."""
    return (baseline - now) >= percent / 100.0 * baseline - 1e-9
