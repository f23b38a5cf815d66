"""A pooled estimate as plain data, with and without the trials known to be outliers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from kerp.analysis.comparisons import Comparison, comparisons_of
from kerp.analysis.meta import TITLES, Method, Pooled, leave_one_out, pool
from kerp.base.data import DATA
from kerp.base.tomlfile import read_toml


def known_outliers() -> dict[str, str]:
    """Trial id -> why it is shown with and without."""
    return {trial: entry["reason"] for trial, entry in read_toml(DATA / "meta" / "outliers.toml").data.items()}


def same_trial() -> dict[str, str]:
    """Report of a trial -> the fuller report of the same trial."""
    return {report: entry["kept"] for report, entry in read_toml(DATA / "meta" / "same_trial.toml").data.items()}


def pooled_table(
    rows: Iterable[Mapping[str, Any]], method: Method, *, mix_open: bool = False, combine_shared: bool = True
) -> dict[str, Any]:
    """Pool the comparisons of a table: `k`, `comparisons`, `estimate`, `ci_low`, `ci_high`, `tau`, `i2` and more."""
    comparisons, notes = comparisons_of(rows, same_trial(), combine_shared=combine_shared)
    found = pool(comparisons, method, mix_open=mix_open)
    reasons = {trial: why for trial, why in known_outliers().items() if any(c.trial == trial for c in comparisons)}
    rest = [c for c in comparisons if c.trial not in reasons]
    without = pool(rest, method, mix_open=mix_open) if reasons and rest else None
    if reasons and not rest:
        notes += ("every comparison left is of a trial known as an outlier: " + "; ".join(reasons.values()),)
    if not combine_shared and len({c.trial for c in comparisons}) < len(comparisons):
        notes += ("comparisons that share a control are counted as if independent (--keep-arms)",)
    return {
        "method": method.value,
        "method_title": TITLES[method] if found.k > 1 else "the study's own normal interval",
        "measure": "Hedges' g of the score after treatment; positive favours the treatment",
        **_numbers(found),
        "controls": dict(Counter(c.control for c in comparisons)),
        "comparisons": [_comparison(c, w) for c, w in zip(comparisons, found.weights, strict=True)],
        "outliers": reasons,
        "without_outliers": None if without is None else _numbers(without) | {"notes": list(without.notes)},
        "leave_one_out": leave_one_out(comparisons, method, mix_open=mix_open),
        "notes": [*found.notes, *notes],
    }


def _numbers(found: Pooled) -> dict[str, Any]:
    names = ("k", "estimate", "se", "ci_low", "ci_high", "tau", "i2", "q", "q_p", "prediction_low", "prediction_high")
    return {name: getattr(found, name) for name in names}


def _comparison(item: Comparison, weight: float) -> dict[str, Any]:
    half = 1.959963984540054 * item.se
    return {
        "trial": item.trial,
        "study": item.study,
        "label": item.label,
        "control": item.control,
        "n": item.n,
        "effect": item.effect,
        "se": item.se,
        "ci_low": item.effect - half,
        "ci_high": item.effect + half,
        "weight": weight,
        "basis": item.basis,
        "combined": list(item.combined),
    }
