"""Response counts of simulated participants, by the definitions of `data/outcomes` and no others (M14)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from kerp.base.errors import Fault, KerpError
from kerp.instrument.outcome import Criterion, Rule
from kerp.instrument.outcome_load import load_outcome
from kerp.learning.scales import cgi_improvement, constant

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int_]
SIMULATED = ("fall_percent", "fall_points", "total", "cgi_i", "held_days")


def criterion(name: str) -> Criterion:
    """The criterion called `set.id`, for example `farris2013.response`.

    One that asks for what no simulated rater gives (CGI-S, a diagnosis) is refused.
    """
    rules, _, wanted = name.partition(".")
    found = next((item for item in load_outcome(rules).criteria if item.id == wanted), None)
    known = ", ".join(f"{rules}.{item.id}" for item in load_outcome(rules).criteria)
    if found is None:
        raise KerpError(
            Fault("there is no such outcome criterion", field="response_rules", found=name, allowed=known)
        )
    if missing := sorted(_measures(found.rule) - set(SIMULATED)):
        message = f"this criterion needs what is not simulated: {', '.join(missing)}"
        ways = ("use mataixcols2016.response (35 % and CGI-I) or farris2013.response (35 %)",)
        raise KerpError(Fault(message, field="response_rules", found=name, ways_out=ways))
    return found


@dataclass(frozen=True, slots=True)
class Seen:
    """What a rater saw at the endpoint, arrays of one shape: baseline and score in points, CGI-I."""

    baseline: Floats
    score: Floats
    cgi_i: Ints


def responds(rule: Rule, seen: Seen) -> Bools:
    """Whether each participant meets a rule."""
    if rule.all_of:
        return reduce(np.logical_and, (responds(part, seen) for part in rule.all_of))
    if rule.any_of:
        return reduce(np.logical_or, (responds(part, seen) for part in rule.any_of))
    value = _measure(rule.measure, seen)
    met = np.ones(value.shape, dtype=bool)
    met &= value >= rule.at_least if rule.at_least is not None else True
    met &= value <= rule.at_most if rule.at_most is not None else True
    met &= value < rule.below if rule.below is not None else True
    return met


def _measure(name: str, seen: Seen) -> Floats:
    if name == "total":
        return seen.score
    if name == "cgi_i":
        return seen.cgi_i.astype(float)
    if name == "held_days":  # the scale speaks of the past week, as in the analysis of a real trial
        return np.full(seen.score.shape, constant("ybocs", "window"))
    fall = seen.baseline - seen.score
    if name == "fall_points":
        return fall
    return np.asarray(100.0 * _share(seen.baseline, fall))


def _share(baseline: Floats, fall: Floats) -> Floats:
    return np.asarray(fall / np.where(baseline > 0, baseline, np.inf))


def rated_improvement(baseline: Floats, score: Floats, error: Floats) -> Ints:
    """CGI-I of the rater who scored the Y-BOCS; `error` are standard normal numbers of their shape."""
    return np.asarray(cgi_improvement(_share(baseline, baseline - score), error), dtype=int)


def _measures(rule: Rule) -> set[str]:
    if parts := rule.all_of + rule.any_of:
        return set().union(*(_measures(part) for part in parts))
    return {rule.measure}
