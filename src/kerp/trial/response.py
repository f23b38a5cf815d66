"""Response counts of simulated participants, by the definitions of `data/outcomes` and no others (M14)."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from kerp.base.errors import Fault, KerpError
from kerp.instrument.outcome import Criterion, Rule
from kerp.instrument.outcome_load import load_outcome

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
SIMULATED = ("fall_percent", "fall_points", "total")


def criterion(name: str) -> Criterion:
    """The criterion called `set.id`, for example `farris2013.response`; one that asks for a CGI is refused."""
    rules, _, wanted = name.partition(".")
    found = next((item for item in load_outcome(rules).criteria if item.id == wanted), None)
    known = ", ".join(f"{rules}.{item.id}" for item in load_outcome(rules).criteria)
    if found is None:
        raise KerpError(
            Fault("there is no such outcome criterion", field="response_rules", found=name, allowed=known)
        )
    if missing := sorted(_measures(found.rule) - set(SIMULATED)):
        message = f"this criterion needs what is not simulated: {', '.join(missing)}"
        ways = ("use farris2013.response (35 %) or simpson2008.response (25 %)",)
        raise KerpError(Fault(message, field="response_rules", found=name, ways_out=ways))
    return found


def responds(rule: Rule, baseline: Floats, score: Floats) -> Bools:
    """Whether each score meets a rule, against its baseline (arrays of one shape)."""
    if rule.all_of:
        return reduce(np.logical_and, (responds(part, baseline, score) for part in rule.all_of))
    if rule.any_of:
        return reduce(np.logical_or, (responds(part, baseline, score) for part in rule.any_of))
    value = _measure(rule.measure, baseline, score)
    met = np.ones(value.shape, dtype=bool)
    met &= value >= rule.at_least if rule.at_least is not None else True
    met &= value <= rule.at_most if rule.at_most is not None else True
    met &= value < rule.below if rule.below is not None else True
    return met


def _measure(name: str, baseline: Floats, score: Floats) -> Floats:
    if name == "total":
        return score
    fall = baseline - score
    if name == "fall_points":
        return fall
    return np.asarray(100.0 * fall / np.where(baseline > 0, baseline, np.inf))


def _measures(rule: Rule) -> set[str]:
    if parts := rule.all_of + rule.any_of:
        return set().union(*(_measures(part) for part in parts))
    return {rule.measure}
