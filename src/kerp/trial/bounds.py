"""Group-sequential bounds: efficacy, futility, what they cost in patients and what they save.

Everything is one-sided on the normal scale ("known variance"); a two-sided 0.05 test is the one-sided 0.025 one
read in both directions. Checked against published values (tests/trial) and against simulation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from kerp.base.errors import Fault, KerpError
from kerp.trial.recursion import START, Exits, Floats, Running, exits
from kerp.trial.spending import Spending, spending

WANG_TSIATIS = {"obf": 0.0, "pocock": 0.5}
KINDS = ("obf", "pocock", "ldof", "ldpocock", "hsd")
FUTILITY_KINDS = ("ldof", "ldpocock", "hsd")
MOST_LOOKS = 20
_CEILING = 12.0  # no bound lies beyond: 1e-33
_MOST_ROUNDS = 60
_SETTLED = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Futility:
    """Beta spending for futility; non-binding bounds leave the efficacy bounds as if there were none."""

    kind: str
    gamma: float | None = None
    binding: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for."""

    kind: str
    gamma: float | None
    alpha: float
    power: float
    information: tuple[float, ...]
    futility: Futility | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Bounds and what follows from them; ratios are against the fixed-size trial of the same error rates."""

    kind: str
    gamma: float | None
    alpha: float
    power: float
    information: tuple[float, ...]
    z: tuple[float, ...]
    futility_z: tuple[float, ...] | None
    binding: bool
    p_one_sided: tuple[float, ...]
    alpha_spent: tuple[float, ...]
    drift: float
    inflation: float
    asn_ratio: float
    asn_ratio_null: float
    stop_efficacy_h1: tuple[float, ...]
    stop_futility_h1: tuple[float, ...]
    stop_efficacy_h0: tuple[float, ...]
    stop_futility_h0: tuple[float, ...]


def equal_information(looks: int) -> tuple[float, ...]:
    """Information fractions of equally spaced looks."""
    return tuple((k + 1) / looks for k in range(looks))


def bounds(
    kind: str,
    information: Sequence[float],
    alpha: float,
    power: float = 0.9,
    gamma: float | None = None,
    futility: Futility | None = None,
) -> Bounds:
    """Bounds of one design with their inflation factor and average sample number ratios.

    Raises `KerpError` with every fault of the request (kind, looks, information, alpha, power, gamma).
    """
    faults = request_faults(kind, information, alpha, power, gamma)
    if faults:
        raise KerpError(*faults)
    fractions = tuple(float(t) for t in information)
    request = Request(kind, gamma if kind == "hsd" else None, alpha, power, fractions, futility)
    if futility is None:
        upper = efficacy(kind, fractions, alpha, gamma)
        lower = (-math.inf,) * len(fractions)
        return _describe(request, upper, lower, _drift_for_power(fractions, lower, upper, power))
    return _describe(request, *_with_futility(request, futility))


def request_faults(
    kind: str, information: Sequence[float], alpha: float, power: float, gamma: float | None
) -> list[Fault]:
    """Everything that is wrong with a request for bounds."""
    faults = []
    if kind not in KINDS:
        faults.append(Fault("there is no such kind of bound", field="kind", found=kind, allowed=", ".join(KINDS)))
    if not 0 < alpha < 0.5:
        faults.append(
            Fault("the one-sided alpha is out of range", field="alpha", found=f"{alpha}", allowed="0 to 0.5")
        )
    if not alpha < power < 1:
        faults.append(Fault("the power is out of range", field="power", found=f"{power}", allowed="alpha to 1"))
    if not 1 <= len(information) <= MOST_LOOKS:
        allowed = f"1 to {MOST_LOOKS}"
        faults.append(Fault("too few or too many looks", field="looks", found=str(len(information)), allowed=allowed))
    elif any(b <= a for a, b in zip((0.0, *information), information, strict=False)) or information[-1] != 1:
        found = ", ".join(f"{t:g}" for t in information)
        allowed = "increasing fractions above 0, the last one 1"
        faults.append(
            Fault("the information fractions are not usable", field="information", found=found, allowed=allowed)
        )
    if kind == "hsd" and (gamma is None or not -40 <= gamma <= 40):
        ways = ("add --gamma -4 (late spending) or --gamma 1 (early spending)",)
        found = "none" if gamma is None else f"{gamma}"
        faults.append(
            Fault("HSD spending needs its gamma", field="gamma", found=found, allowed="-40 to 40", ways_out=ways)
        )
    return faults


def efficacy(
    kind: str,
    information: Sequence[float],
    alpha: float,
    gamma: float | None = None,
    lower: Sequence[float] | None = None,
) -> tuple[float, ...]:
    """Upper bounds on Z that spend `alpha` under no effect; `lower` counts only where futility is binding."""
    floor = lower if lower is not None else (-math.inf,) * len(information)
    if kind in WANG_TSIATIS:
        return _wang_tsiatis(WANG_TSIATIS[kind], information, alpha, floor)
    return _spent(kind, information, alpha, gamma, floor)


def _wang_tsiatis(
    shape: float, information: Sequence[float], alpha: float, floor: Sequence[float]
) -> tuple[float, ...]:
    """Bounds `C t^(shape - 1/2)`: O'Brien-Fleming at 0, Pocock at 1/2 (Wang and Tsiatis 1987)."""
    slopes = [fraction ** (shape - 0.5) for fraction in information]

    def excess(constant: float) -> float:
        return float(exits(information, floor, [constant * slope for slope in slopes], 0.0).upper.sum()) - alpha

    constant = float(brentq(excess, 0.0, _CEILING, xtol=1e-12, rtol=1e-13))
    return tuple(constant * slope for slope in slopes)


def _spent(
    kind: str, information: Sequence[float], alpha: float, gamma: float | None, floor: Sequence[float]
) -> tuple[float, ...]:
    """One look after the other: the bound whose crossing spends what the function allows by then."""
    spend = spending(kind, alpha, gamma)
    upper: list[float] = []
    running, spent = START, 0.0
    for look, fraction in enumerate(information):
        allowance = (alpha if look == len(information) - 1 else spend(fraction)) - spent
        upper.append(_solve(_crossing(running, fraction), allowance))
        spent += running.beyond(upper[-1], fraction, 0.0)
        running = running.advance(floor[look], upper[-1], fraction, 0.0)
    return tuple(upper)


def _solve(crossing: Callable[[float], float], allowance: float) -> float:
    """The Z beyond which `allowance` lies; where nothing may be spent the bound stands out of reach."""
    if crossing(_CEILING) >= allowance:
        return _CEILING
    if crossing(-_CEILING) <= allowance:
        return -_CEILING
    return float(brentq(lambda z: crossing(z) - allowance, -_CEILING, _CEILING, xtol=1e-12, rtol=1e-13))


def _crossing(running: Running, fraction: float) -> Callable[[float], float]:
    return lambda z: running.beyond(z, fraction, 0.0)


def _failing(running: Running, fraction: float, drift: float) -> Callable[[float], float]:
    return lambda minus_z: running.below(-minus_z, fraction, drift)


def _drift_for_power(
    information: Sequence[float], lower: Sequence[float], upper: Sequence[float], power: float
) -> float:
    """Mean of the final Z at which the design rejects with probability `power`."""

    def shortfall(drift: float) -> float:
        return float(exits(information, lower, upper, drift).upper.sum()) - power

    return float(brentq(shortfall, 0.0, 20.0, xtol=1e-12, rtol=1e-13))


def _with_futility(request: Request, futility: Futility) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Efficacy and futility bounds that meet at the last look, and the drift at which they do."""
    spend = spending(futility.kind, 1.0 - request.power, futility.gamma)
    free = efficacy(request.kind, request.information, request.alpha, request.gamma)

    def pair(drift: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        lower = _futility(request.information, free, drift, spend)
        return _credited(request, free, lower, drift, spend) if futility.binding else (free, lower)

    def gap(drift: float) -> float:
        upper, lower = pair(drift)
        return lower[-1] - upper[-1]

    fixed = float(ndtri(1.0 - request.alpha) + ndtri(request.power))
    drift = float(brentq(gap, 0.7 * fixed, 1.8 * fixed, xtol=1e-11, rtol=1e-12))
    upper, lower = pair(drift)
    return upper, (*lower[:-1], upper[-1]), drift


def _credited(
    request: Request, upper: tuple[float, ...], lower: tuple[float, ...], drift: float, spend: Spending
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Binding futility: each bound takes the other into account, in turn, until neither moves."""
    for _ in range(_MOST_ROUNDS):
        previous = upper
        upper = efficacy(request.kind, request.information, request.alpha, request.gamma, (*lower[:-1], -math.inf))
        lower = _futility(request.information, upper, drift, spend)
        if max(abs(a - b) for a, b in zip(upper, previous, strict=True)) < _SETTLED:
            break
    return upper, lower


def _futility(
    information: Sequence[float], upper: Sequence[float], drift: float, spend: Spending
) -> tuple[float, ...]:
    """Lower bounds that spend beta under the drift; none may pass the efficacy bound of its look."""
    lower: list[float] = []
    running, spent = START, 0.0
    for look, fraction in enumerate(information):
        allowance = spend(fraction) - spent
        bound = _solve(_failing(running, fraction, drift), allowance)
        last = look == len(information) - 1
        lower.append(-bound if last else min(-bound, upper[look]))
        spent += running.below(lower[-1], fraction, drift)
        if not last:
            running = running.advance(lower[-1], upper[look], fraction, drift)
    return tuple(lower)


def _describe(request: Request, upper: tuple[float, ...], lower: tuple[float, ...], drift: float) -> Bounds:
    information, futility = request.information, request.futility
    binding = futility is not None and futility.binding
    under_h1 = exits(information, lower, upper, drift)
    under_h0 = exits(information, lower, upper, 0.0)
    spent = exits(information, lower if binding else (-math.inf,) * len(upper), upper, 0.0)
    inflation = (drift / float(ndtri(1.0 - request.alpha) + ndtri(request.power))) ** 2
    return Bounds(
        kind=request.kind,
        gamma=request.gamma,
        alpha=request.alpha,
        power=request.power,
        information=information,
        z=upper,
        futility_z=lower if futility else None,
        binding=binding,
        p_one_sided=tuple(float(ndtr(-z)) for z in upper),
        alpha_spent=tuple(float(a) for a in np.cumsum(spent.upper)),
        drift=drift,
        inflation=inflation,
        asn_ratio=inflation * mean_information(information, under_h1),
        asn_ratio_null=inflation * mean_information(information, under_h0),
        stop_efficacy_h1=_tuple(under_h1.upper),
        stop_futility_h1=_tuple(under_h1.lower) if futility else (),
        stop_efficacy_h0=_tuple(under_h0.upper),
        stop_futility_h0=_tuple(under_h0.lower) if futility else (),
    )


def mean_information(information: Sequence[float], left: Exits) -> float:
    """Average information fraction at which the trial stops."""
    return float(np.asarray(information) @ left.stopped)


def _tuple(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
