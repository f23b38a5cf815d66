"""Model matrices with treatment contrasts and R's coefficient names (`RACEAsian`, `ARMCDTRT:AVISITVIS4`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
INTERCEPT = "(Intercept)"
Term = tuple[str, ...]


@dataclass(frozen=True)
class Factor:
    """A categorical variable; the first level is the reference. `codes` (N,) index `levels`."""

    name: str
    levels: tuple[str, ...]
    codes: Array

    def labels(self) -> tuple[str, ...]:
        """Names of its dummy columns."""
        return tuple(f"{self.name}{level}" for level in self.levels[1:])

    def columns(self) -> Array:
        """Dummy columns (N, levels - 1)."""
        return (self.codes[:, None] == np.arange(1, len(self.levels))).astype(float)

    def at(self, level: str) -> Array:
        """The dummy row of one level."""
        return (np.arange(1, len(self.levels)) == self.levels.index(level)).astype(float)

    def balanced(self) -> Array:
        """The dummy row of the average over levels with equal weights."""
        return np.full(len(self.levels) - 1, 1.0 / len(self.levels))


@dataclass(frozen=True)
class Numeric:
    """A numeric covariate, (N,) float64."""

    name: str
    values: Array

    def labels(self) -> tuple[str, ...]:
        """Its own name."""
        return (self.name,)

    def columns(self) -> Array:
        """One column (N, 1)."""
        return self.values[:, None]

    def balanced(self) -> Array:
        """Its mean over the rows analysed."""
        return np.array([float(self.values.mean())])


Variable = Factor | Numeric


def factor(name: str, values: Sequence[str], levels: Sequence[str]) -> Factor:
    """Code `values` by `levels`."""
    index = {level: i for i, level in enumerate(levels)}
    return Factor(name, tuple(levels), np.array([index[v] for v in values]))


def column_names(terms: Sequence[Term], variables: Mapping[str, Variable]) -> tuple[str, ...]:
    """Names of all columns, the intercept first."""
    names = [INTERCEPT]
    for term in terms:
        combined = [""]
        for variable in reversed(term):  # R lets the first variable of an interaction run fastest
            combined = [
                f"{label}:{tail}" if tail else label for tail in combined for label in variables[variable].labels()
            ]
        names += combined
    return tuple(names)


def matrix(terms: Sequence[Term], blocks: Mapping[str, Array]) -> Array:
    """Columns (N, q) of the intercept and each term; `blocks` has each variable's columns (N, k) or a row (k,)."""
    rows = {name: np.atleast_2d(block) for name, block in blocks.items()}
    n = max((len(block) for block in rows.values()), default=1)
    parts = [np.ones((n, 1))]
    for term in terms:
        product = np.ones((n, 1))
        for variable in reversed(term):
            product = (product[:, :, None] * rows[variable][:, None, :]).reshape(n, -1)
        parts.append(product)
    return np.concatenate(parts, axis=1)


def aliased(x: Array, names: Sequence[str], tolerance: float = 1e-9) -> list[str]:
    """Columns that are linear combinations of those before them."""
    found: list[str] = []
    basis = np.zeros((len(x), 0))
    for column, name in zip(x.T, names, strict=True):
        size = float(np.linalg.norm(column))
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)
        length = float(np.linalg.norm(rest))
        if length <= tolerance * max(size, 1e-300):
            found.append(name)
        else:
            basis = np.column_stack([basis, rest / length])
    return found
