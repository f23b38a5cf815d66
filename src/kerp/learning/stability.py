"""Whether an untreated patient stays ill: the linear response at rest, and the limit of the loop's gain."""

from __future__ import annotations

import numpy as np

from kerp.learning.models.core import Bound


def rest_matrix(p: Bound) -> np.ndarray:
    """Jacobian of (V, Q) at the untreated rest, per day, shaped (..., 2, 2). `X` decays by itself at `1/tauX`.

    With `a = xi eta0 N (1 - n0)`: `dV'/dV = -a V0/(1 - V0) - delta`, `dV'/dQ = a V0 g/rho`, `dQ'/dV = rho/tauQ`,
    `dQ'/dQ = -1/tauQ`. Its determinant is positive exactly when `g < g*`.
    """
    f = p.free
    a = f.xi * f.eta0 * f.N * (1.0 - f.n0)
    entries = (
        -a * f.V0 / (1.0 - f.V0) - f.delta,
        a * f.V0 * p.fixed.g / f.rho,
        f.rho / f.tauQ,
        -1.0 / f.tauQ,
    )
    stacked = np.stack(np.broadcast_arrays(*(np.asarray(entry, float) for entry in entries)), axis=-1)
    return stacked.reshape(*stacked.shape[:-1], 2, 2)


def eigenvalues(p: Bound) -> np.ndarray:
    """Complex growth rates per day at rest, shaped (..., 2). All real parts negative: a stable illness."""
    return np.linalg.eigvals(rest_matrix(p))
