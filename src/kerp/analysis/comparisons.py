"""Comparisons of a treatment with a control as effects to pool: shared controls combined, one report per trial.

Effect: Hedges' g of the scores after treatment, positive favours the treatment; g = J (m_c - m_t) / s_pooled,
J = 1 - 3 / (4 (n - 2) - 1), variance 1/n_t + 1/n_c + g^2 / (2 n) (Hedges and Olkin 1985). Where means or SDs are
not given the published effect is used, and each comparison says which it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType
from typing import Any

from kerp.base.errors import Fault, KerpError

Row = Mapping[str, Any]
NEEDED = (
    "trial",
    "study",
    "treatment",
    "control",
    "hedges_g",
    "hedges_g_se",
    "control_n_after",
    "control_mean_after",
)


@dataclass(frozen=True, slots=True)
class Group:
    """An arm after treatment."""

    n: int
    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One effect to pool. `combined`: the treatment arms put together; `basis`: recomputed or published."""

    trial: str
    study: str
    label: str
    control: str
    effect: float
    se: float
    n: int | None
    basis: str
    combined: tuple[str, ...]
    controlled: bool = True


def combine(groups: Sequence[Group]) -> Group:
    """One group out of several, as if they had been one (Cochrane Handbook, table 6.5.a)."""
    n = sum(group.n for group in groups)
    mean = sum(group.n * group.mean for group in groups) / n
    squares = sum((group.n - 1) * group.sd**2 + group.n * (group.mean - mean) ** 2 for group in groups)
    return Group(n, mean, sqrt(squares / (n - 1)))


def hedges_g(treated: Group, control: Group) -> tuple[float, float]:
    """Effect and standard error; a lower score is better, so a lower treated mean is a positive effect."""
    n, df = treated.n + control.n, treated.n + control.n - 2
    if df < 2 or min(treated.n, control.n) < 1:
        raise KerpError(Fault("too few people for an effect size", found=f"{treated.n} and {control.n}"))
    pooled = sqrt(((treated.n - 1) * treated.sd**2 + (control.n - 1) * control.sd**2) / df)
    if pooled == 0:
        raise KerpError(Fault("both groups have no spread: an effect in SD units cannot be estimated"))
    g = (1 - 3 / (4 * df - 1)) * (control.mean - treated.mean) / pooled
    return g, sqrt(1 / treated.n + 1 / control.n + g**2 / (2 * n))


def comparisons_of(
    rows: Iterable[Row], same_trial: Mapping[str, str] = MappingProxyType({}), *, combine_shared: bool = True
) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Effects to pool and notes on what was combined or left out. Rows are those of `psychotherapy_ybocs`.

    `same_trial` maps the id of a report to the id of the fuller report of the same trial.
    """
    listed = list(rows)
    missing = [name for name in NEEDED if listed and name not in listed[0]]
    if missing:
        message = "this table holds no comparisons that could be pooled"
        found_none = "no column " + ", ".join(missing)
        raise KerpError(Fault(message, found=found_none, ways_out=("--table psychotherapy_ybocs",)))
    kept, notes = _one_report_each(listed, same_trial)
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for index, row in enumerate(kept):
        groups.setdefault(_control_key(row) if combine_shared else (index,), []).append(row)
    found = []
    for group in groups.values():
        made, said = _effects(group)
        found += made
        notes += said
    return tuple(found), tuple(notes)


def _control_key(row: Row) -> tuple[Any, ...]:
    """Arms share a control when study and the control's mean, SD and n agree; unknown figures never agree."""
    figures = tuple(row.get(f"control_{what}_after") for what in ("mean", "sd", "n"))
    return (row["trial"], *figures) if None not in figures else (row["trial"], row.get("comparison") or id(row))


def _one_report_each(rows: Sequence[Row], same_trial: Mapping[str, str]) -> tuple[list[Row], list[str]]:
    """Leave out a report of a trial that is here by a fuller one, and a row that repeats another study's figures."""
    here = {row["trial"] for row in rows}
    seen: dict[tuple[Any, ...], str] = {}
    kept: list[Row] = []
    notes: dict[str, None] = {}
    for row in rows:
        fuller = same_trial.get(row["trial"])
        other = seen.setdefault(_figures(row), row["study"])
        if fuller in here:
            notes[f"{row['study']} reports the same trial as {fuller} and is left out"] = None
        elif other != row["study"]:
            notes[f"{row['study']} has the same figures as {other}: one trial, and is left out"] = None
        else:
            kept.append(row)
    return kept, list(notes)


def _figures(row: Row) -> tuple[Any, ...]:
    found = tuple(row.get(f"{arm}_{what}_after") for arm in ("treatment", "control") for what in ("n", "mean", "sd"))
    return found if None not in found else (row["study"], row.get("comparison"), id(row))


def _effects(rows: Sequence[Row]) -> tuple[list[Comparison], list[str]]:
    arms = [_group(row, "treatment") for row in rows]
    control = _group(rows[0], "control")
    whole = [arm for arm in arms if arm is not None]
    if control is None or len(whole) != len(rows):
        notes = [f"{row['study']}: {len(rows)} arms share a control and lack figures to combine" for row in rows[1:2]]
        return [_published(row) for row in rows], notes
    effect, se = hedges_g(combine(whole) if len(whole) > 1 else whole[0], control)
    names = tuple(row.get("treatment_arm") or row["treatment"] for row in rows)
    first = rows[0]
    label = f"{first['study']} ({' + '.join(names)})" if len(rows) > 1 else _label(first)
    n = sum(arm.n for arm in whole) + control.n
    notes = (
        [f"{first['study']}: arms {', '.join(names)} share one control and were combined"] if len(rows) > 1 else []
    )
    made = Comparison(first["trial"], first["study"], label, first["control"], effect, se, n, "recomputed", names)
    return [made], notes


def _label(row: Row) -> str:
    arm = row.get("treatment_arm")
    return f"{row['study']} ({arm})" if arm else str(row["study"])


def _published(row: Row) -> Comparison:
    if row["hedges_g"] is None or row["hedges_g_se"] is None:
        message = "neither means and SDs nor a published effect are given"
        raise KerpError(Fault(message, field=str(row["study"]), ways_out=("leave it out with --where",)))
    sizes = [row.get("treatment_n_after"), row.get("control_n_after")]
    n = sum(sizes) if None not in sizes else None  # type: ignore[arg-type]
    controlled = bool(row["control"])
    arms = (row.get("treatment_arm") or row["treatment"],)
    effect, se = float(row["hedges_g"]), float(row["hedges_g_se"])
    about = (row["trial"], row["study"], _label(row), row["control"] or "none")
    return Comparison(*about, effect, se, n, "published", arms, controlled)


def _group(row: Row, arm: str) -> Group | None:
    n, mean, sd = (row.get(f"{arm}_{what}_after") for what in ("n", "mean", "sd"))
    return None if n is None or mean is None or sd is None else Group(int(n), float(mean), float(sd))
