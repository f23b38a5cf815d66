"""Means, standard deviations and quantiles of a growing population in fixed memory."""

from __future__ import annotations

import numpy as np

from kerp.patient.record import Column

_BINS = 4000


class Spread:
    """Of several quantities at once (places,), fed block by block. Quantiles are good to the width of a bin.

    Values are binned on `asinh(x / scale)` between `low` and `high`, so that long tails cost no bins.
    """

    def __init__(self, places: int, low: float, high: float, scale: float = 1e9) -> None:
        self.scale = scale
        self.edges = np.linspace(np.arcsinh(low / scale), np.arcsinh(high / scale), _BINS + 1)
        self.counts = np.zeros((places, _BINS), dtype=np.int64)
        self.number = np.zeros(places, dtype=np.int64)
        self.total = np.zeros(places)
        self.squares = np.zeros(places)
        self.first: Column | None = None  # the values themselves, as long as there is one block: exact quantiles

    def add(self, values: Column) -> None:
        """Values (places, people); those that are not numbers are left out."""
        self.first = np.array(values) if not self.number.any() else None
        for place, row in enumerate(values):
            known = _known(row)
            self.number[place] += known.size
            if known.size:
                self._merge(place, known)

    def _merge(self, place: int, known: Column) -> None:
        """Chan's update of count, mean and squares, so that large populations lose no digits."""
        before = self.number[place] - known.size
        mean = known.mean()
        old = self.total[place] / before if before else mean
        self.squares[place] += ((known - mean) ** 2).sum() + (mean - old) ** 2 * before * known.size / self.number[
            place
        ]
        self.total[place] += known.sum()
        at = np.searchsorted(self.edges, np.arcsinh(known / self.scale), side="right") - 1
        self.counts[place] += np.bincount(np.clip(at, 0, _BINS - 1), minlength=_BINS)

    def _exact(self, share: float) -> list[float]:
        assert self.first is not None
        if np.isfinite(self.first).all():
            return list(np.quantile(self.first, share, axis=1).tolist())
        return [float(np.quantile(row, share)) if row.size else float("nan") for row in map(_known, self.first)]

    def mean(self) -> list[float]:
        return [float(t / n) if n else float("nan") for t, n in zip(self.total, self.number, strict=True)]

    def sd(self) -> list[float]:
        """Sample standard deviation; 0 for one person."""
        pairs = zip(self.squares, self.number, strict=True)
        return [float(np.sqrt(q / (n - 1))) if n > 1 else 0.0 for q, n in pairs]

    def quantile(self, share: float) -> list[float]:
        """The value below which `share` of the people lie, at each place."""
        if self.first is not None:
            return self._exact(share)
        found = []
        for row, number in zip(self.counts, self.number, strict=True):
            if not number:
                found.append(float("nan"))
                continue
            below = np.cumsum(row)
            bin_ = int(np.searchsorted(below, share * number))
            bin_ = min(bin_, _BINS - 1)
            inside = (share * number - (below[bin_] - row[bin_])) / max(row[bin_], 1)
            at = self.edges[bin_] + np.clip(inside, 0.0, 1.0) * (self.edges[1] - self.edges[0])
            found.append(float(np.sinh(at) * self.scale))
        return found


def _known(row: Column) -> Column:
    return row[np.isfinite(row)]
