"""A repeated-measures fit as plain data, for JSON and for tables. A missing figure is null with a reason."""

from __future__ import annotations

import math
from typing import Any

from kerp.analysis import covariance, degrees
from kerp.analysis.degrees import Estimate
from kerp.analysis.mmrm import MmrmResult


def as_dict(result: MmrmResult) -> dict[str, Any]:
    """Plain data: coefficients by R's names, contrasts by visit (`ARM:VISIT` where there are more than two arms)."""
    many = len(result.table.arms) > 2
    return {
        "n_subjects": result.n_subjects,
        "n_observations": result.n_observations,
        "neg2_loglik": finite(result.neg2_loglik),
        "converged": result.converged,
        "convergence": {
            "iterations": result.convergence.iterations,
            "decrement": finite(result.convergence.decrement),
            "smallest_eigenvalue": finite(result.convergence.smallest_eigenvalue),
            "reason": result.convergence.reason,
        },
        "covariance_structure": result.covariance_structure.value,
        "df_method": result.method.value,
        "df_method_title": degrees.TITLES[result.method],
        "coefficients": {name: estimate_dict(value, interval=False) for name, value in result.coefficients.items()},
        "contrasts": {
            f"{c.arm}:{c.visit}" if many else c.visit: {"visit": c.visit, "arm": c.arm, "reference": c.reference}
            | estimate_dict(c.result)
            for c in result.contrasts
        },
        "ls_means": [{"visit": m.visit, "arm": m.arm} | estimate_dict(m.result) for m in result.ls_means],
        "visits": list(result.visits),
        "covariance": [[finite(float(cell)) for cell in row] for row in result.covariance],
        "notes": list(result.notes),
        "not_estimable": [{"what": item.what, "reason": item.reason} for item in result.not_estimable],
    }


def method_line(result: MmrmResult) -> str:
    """One sentence for a methods section."""
    return (
        "Mixed model for repeated measures by restricted maximum likelihood, "
        f"{covariance.TITLES[result.covariance_structure]} covariance ({result.covariance_structure.value}); "
        f"{degrees.TITLES[result.method]}."
    )


def finite(value: float) -> float | None:
    """The number, or None where there is none."""
    return value if math.isfinite(value) else None


def estimate_dict(value: Estimate, *, interval: bool = True) -> dict[str, Any]:
    """One estimate; figures that do not exist are null, with the reason beside them."""
    numbers = {"estimate": value.estimate, "se": value.se, "df": value.df, "p": value.p}
    if interval:
        numbers |= {"ci_low": value.ci_low, "ci_high": value.ci_high}
    out: dict[str, Any] = {name: finite(number) for name, number in numbers.items()}
    if None in out.values():
        out["reason"] = value.why_not
    return out
