"""A long table checked for repeated-measures analysis: one row per participant and visit with an observed outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from kerp.analysis import design
from kerp.analysis.columns import Columns, natural
from kerp.analysis.covariance import Structure
from kerp.analysis.spec import MmrmSpec
from kerp.base.errors import Fault, KerpError, UnknownIdError

Array = Any


class Modelled(Protocol):
    """What a column of a model is known by, whichever model it is."""

    @property
    def baseline(self) -> str | None: ...

    @property
    def references(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class NotEstimable:
    """Something asked for that the data cannot give, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class LongTable:
    """Rows with an observed outcome. Codes index `subjects` and `visits`; the first arm is the reference."""

    where: str
    outcome_name: str
    outcome: Array
    subjects: tuple[str, ...]
    subject_code: Array
    visits: tuple[str, ...]
    visit_code: Array
    arms: tuple[str, ...]
    arm_code: Array
    variables: Mapping[str, design.Variable] = field(repr=False)
    time_of: Mapping[str, float]
    notes: tuple[str, ...]
    not_estimable: tuple[NotEstimable, ...]

    def per_arm(self) -> dict[str, int]:
        """Participants with at least one observed outcome, by arm."""
        return {arm: len(np.unique(self.subject_code[self.arm_code == code])) for code, arm in enumerate(self.arms)}

    def smallest_arm(self) -> int:
        """Size of the smallest arm."""
        return min(self.per_arm().values())

    def covariance_faults(self, structure: Structure) -> list[Fault]:
        """What a covariance structure asks of the data and does not find."""
        faults = []
        seen = np.zeros((len(self.subjects), len(self.visits)), dtype=bool)
        seen[self.subject_code, self.visit_code] = True
        together = seen.T.astype(int) @ seen.astype(int)
        if structure is Structure.US:
            apart = [
                f"{self.visits[i]} and {self.visits[j]}"
                for i, j in zip(*np.where(np.triu(together == 0)), strict=True)
            ]
            if apart:
                message = "no participant was seen at both visits, so their covariance cannot be estimated: "
                faults.append(Fault(message + "; ".join(apart), self.where, ways_out=_WAYS))
            if len(self.subjects) - len(self.arms) < len(self.visits):
                found = f"{len(self.subjects)} participants in {len(self.arms)} arms, {len(self.visits)} visits"
                message = "too few participants for an unstructured covariance"
                faults.append(Fault(message, self.where, found=found, ways_out=_WAYS))
        elif not (np.triu(together, 1) > 0).any():
            message = "no participant was seen twice: the correlation between visits cannot be estimated"
            faults.append(Fault(message, self.where, ways_out=("analyse one visit by ANCOVA (kerp analyse ancova)",)))
        return faults


_WAYS = ("--covariance ar1, toep or cs", "fewer visits", "analyse the last visit by ANCOVA (kerp analyse ancova)")


def long_table(columns: Columns, spec: MmrmSpec) -> LongTable:
    """Check and code the table. Raises `KerpError` with every fault found."""
    if spec.baseline_by_visit and spec.baseline is None:
        raise KerpError(
            Fault("a slope on baseline needs a baseline", field="--baseline", ways_out=("--baseline COL",))
        )
    refuse_references(spec.references, (spec.arm, spec.visit, *spec.covariates))
    arm, visit, subject = (columns.complete(name) for name in (spec.arm, spec.visit, spec.subject))
    _refuse(_duplicates(columns, spec, subject, visit) + _changing(columns, spec.arm, subject, arm))
    needed = [*spec.covariates, *([spec.baseline] if spec.baseline else []), *([spec.time] if spec.time else [])]
    outcome = columns.numbers(spec.outcome)
    observed = ~np.isnan(outcome)
    usable = observed & np.array([all(columns.text(n)[i] is not None for n in needed) for i in range(len(columns))])
    notes = _dropped(observed, usable, needed)
    lost = _lost_levels(spec, arm, visit, usable)
    kept = columns.where_rows(list(usable))
    if not len(kept):
        raise KerpError(Fault("no row has an observed outcome and all covariates", columns.where, field=spec.outcome))
    _refuse(_lost_references(columns, spec, lost))
    return _coded(kept, spec, outcome[usable], notes, lost)


def _coded(
    kept: Columns, spec: MmrmSpec, outcome: Array, notes: tuple[str, ...], lost: tuple[NotEstimable, ...]
) -> LongTable:
    arm = as_factor(kept, spec.arm, spec.references)
    visit = as_factor(kept, spec.visit, spec.references, keep_order=True)
    # the covariance runs in the order of visits, whatever visit is the reference of the fixed effects
    visits = tuple(sorted(visit.levels, key=natural))
    subjects = tuple(dict.fromkeys(kept.complete(spec.subject)))
    names = [*spec.covariates, *([spec.baseline] if spec.baseline else []), *([spec.time] if spec.time else [])]
    variables: dict[str, design.Variable] = {spec.arm: arm, spec.visit: visit}
    variables |= {name: as_variable(kept, name, spec) for name in names}
    table = LongTable(
        where=kept.where,
        outcome_name=spec.outcome,
        outcome=outcome,
        subjects=subjects,
        subject_code=design.factor("", kept.complete(spec.subject), subjects).codes,
        visits=visits,
        visit_code=design.factor("", kept.complete(spec.visit), visits).codes,
        arms=arm.levels,
        arm_code=arm.codes,
        variables=variables,
        time_of=_times(kept, spec),
        notes=notes,
        not_estimable=lost,
    )
    _refuse(_structure_faults(table, spec))
    return table


def refuse_references(references: Mapping[str, str], factors: Sequence[str]) -> None:
    """A reference level of a column that is no factor of the model would change nothing: it is refused."""
    for name in references:
        if name not in factors:
            raise UnknownIdError("factor of this model", name, list(factors), field="--reference")


def as_variable(kept: Columns, name: str, spec: Modelled) -> design.Variable:
    """A column as the model takes it: numbers stay numbers, text and columns with a reference level are factors."""
    if kept.is_numeric(name) and name not in spec.references:
        return design.Numeric(name, kept.numbers(name))
    if name in (spec.baseline, getattr(spec, "time", None)):
        kept.numbers(name)  # raises with the line of the first text
    stray = None if name in spec.references else kept.stray_text(name)
    if stray is not None:
        cell = kept.text(name)[stray] or ""
        ways = ("correct it, or write NA", f"--reference {name}=LEVEL takes the column as a factor")
        message = "this is no number, in a column that holds mostly numbers"
        raise KerpError(Fault(message, kept.where, kept.line(stray), name, cell, ways_out=ways))
    return as_factor(kept, name, spec.references)


def as_factor(kept: Columns, name: str, references: Mapping[str, str], *, keep_order: bool = False) -> design.Factor:
    """A column as a factor: levels in sorted order, the reference first. An unknown reference is refused."""
    values = kept.complete(name)
    numeric = kept.is_numeric(name)
    levels = sorted(set(values), key=natural if keep_order or numeric else str)
    reference = references.get(name)
    if reference is not None:
        if reference not in levels:
            raise UnknownIdError(f"level of {name}", reference, levels, field="--reference")
        levels = [reference, *(level for level in levels if level != reference)]
    return design.factor(name, values, levels)


def _times(kept: Columns, spec: MmrmSpec) -> dict[str, float]:
    if spec.time is None:
        return {}
    values = kept.numbers(spec.time)
    by_visit: dict[str, list[float]] = {}
    for visit, value in zip(kept.complete(spec.visit), values, strict=True):
        by_visit.setdefault(visit, []).append(float(value))
    return {visit: float(np.mean(times)) for visit, times in by_visit.items()}


def _duplicates(columns: Columns, spec: MmrmSpec, subject: Sequence[str], visit: Sequence[str]) -> list[Fault]:
    faults: list[Fault] = []
    seen: dict[tuple[str, str], int] = {}
    for row, key in enumerate(zip(subject, visit, strict=True)):
        if key in seen:
            message = f"{key[0]} has two rows for visit {key[1]} (the other is on line {columns.line(seen[key])})"
            faults.append(Fault(message, columns.where, columns.line(row), spec.visit))
        seen.setdefault(key, row)
    return faults[:10]


def _changing(columns: Columns, name: str, subject: Sequence[str], values: Sequence[str]) -> list[Fault]:
    faults: list[Fault] = []
    first: dict[str, str] = {}
    for row, (who, value) in enumerate(zip(subject, values, strict=True)):
        if first.setdefault(who, value) != value:
            message = f"{who} changes arm within the table"
            faults.append(Fault(message, columns.where, columns.line(row), name, value, first[who]))
    return faults[:10]


def _dropped(observed: Array, usable: Array, needed: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if (~observed).any():
        notes.append(f"{int((~observed).sum())} rows without an outcome are left out (missing at random is assumed)")
    if (observed & ~usable).any():
        count = int((observed & ~usable).sum())
        notes.append(f"{count} rows with an outcome are left out for a missing {' or '.join(needed)}")
    return tuple(notes)


def _lost_levels(spec: MmrmSpec, arm: Sequence[str], visit: Sequence[str], usable: Array) -> tuple[NotEstimable, ...]:
    lost: list[NotEstimable] = []
    for name, values, kind in ((spec.arm, arm, "arm"), (spec.visit, visit, "visit")):
        kept = {value for value, use in zip(values, usable, strict=True) if use}
        reason = f"this {kind} has no observed outcome; nothing is estimated for it"
        lost += [NotEstimable(f"{name} {level}", reason) for level in sorted(set(values) - kept, key=natural)]
    return tuple(lost)


def _lost_references(columns: Columns, spec: MmrmSpec, lost: Sequence[NotEstimable]) -> list[Fault]:
    """A reference level that the table has, but without any outcome: there is nothing to compare with."""
    gone = {item.what for item in lost}
    return [
        Fault(
            f"{name} {level} has no observed outcome, and everything is compared with it", columns.where, field=name
        )
        for name, level in spec.references.items()
        if f"{name} {level}" in gone
    ]


def _structure_faults(table: LongTable, spec: MmrmSpec) -> list[Fault]:
    faults = []
    gone = "; ".join(f"{item.what}: {item.reason}" for item in table.not_estimable)
    if len(table.arms) < 2:
        message = "a treatment effect cannot be estimated: only one arm has an observed outcome"
        faults.append(Fault(message, table.where, field=spec.arm, found=f"{table.arms[0]}. {gone}".rstrip(". ")))
    if len(table.visits) < 2:
        message = "repeated measures cannot be modelled: only one visit has an observed outcome"
        way = "analyse that visit by ANCOVA (kerp analyse ancova)"
        faults.append(
            Fault(
                message,
                table.where,
                field=spec.visit,
                found=f"{table.visits[0]}. {gone}".rstrip(". "),
                ways_out=(way,),
            )
        )
    if float(np.ptp(table.outcome)) == 0.0:
        message = "every observed outcome has the same value: no variance, standard error or test can be estimated"
        faults.append(Fault(message, table.where, field=spec.outcome, found=f"{table.outcome[0]:g}"))
    return faults + ([] if spec.time else _empty_cells(table, spec))


def _empty_cells(table: LongTable, spec: MmrmSpec) -> list[Fault]:
    faults = []
    for a, arm in enumerate(table.arms):
        for v, visit in enumerate(table.visits):
            if not ((table.arm_code == a) & (table.visit_code == v)).any():
                message = f"arm {arm} has no observed outcome at visit {visit}: its mean there cannot be estimated"
                ways = ("leave that visit out", "--time for a linear time effect")
                faults.append(Fault(message, table.where, field=f"{spec.arm}, {spec.visit}", ways_out=ways))
    return faults


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise KerpError(*faults)
