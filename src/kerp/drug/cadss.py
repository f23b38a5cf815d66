"""CADSS totals from the felt effect: whole numbers, many zeros, a long tail (never a Gaussian).

A person's mean total is `scale * G * F^exponent`, G gamma with mean one; what is scored is Poisson around it, at most
92. Uniform numbers are drawn in fixed blocks and inverted, so totals do not depend on how people are batched.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtr, pdtrik

from kerp.base.seeds import Stream
from kerp.drug.effect import Link, load_link
from kerp.drug.population import standard_normals

Host = NDArray[np.float64]
_PERSON_KEY, _COUNT_KEY = 121, 122  # keys of this room below the PATIENT and MEASUREMENT streams


def load_cadss() -> Link:
    """The shipped map from felt effect to CADSS total, with its caveats."""
    return load_link("cadss", "cadss")


def mean_total(felt: NDArray[np.float64], route: str, person: Host | None = None) -> NDArray[np.float64]:
    """Expected total (people, times) for a felt effect in [0, 1]; `person` (people,) from `drawn_person`."""
    link = load_cadss()
    level = link[f"{route}_scale"] * np.power(np.clip(felt, 0, 1), link["exponent"])
    scaled = level if person is None else level * person[:, None]
    return np.minimum(scaled, link["greatest"])


def drawn_person(route: str, count: int, seed: int, first: int = 0) -> Host:
    """Each person's readiness to dissociate (people,), gamma with mean one."""
    shape = load_cadss()[f"{route}_shape"]
    uniform = ndtr(standard_normals(seed, Stream.PATIENT, _PERSON_KEY, first, count, 1)[:, 0])
    return np.asarray(gammaincinv(shape, uniform) / shape)


def drawn_total(mean: NDArray[np.float64], seed: int, first: int = 0) -> NDArray[np.int64]:
    """Totals as a rater scores them (people, times), 0 to 92."""
    uniform = ndtr(standard_normals(seed, Stream.MEASUREMENT, _COUNT_KEY, first, mean.shape[0], mean.shape[1]))
    positive = np.maximum(mean, 1e-12)
    counts = np.ceil(np.maximum(np.nan_to_num(pdtrik(uniform, positive)), 0))
    none = uniform <= np.exp(-positive)
    return np.minimum(np.where(none, 0, counts), load_cadss()["greatest"]).astype(np.int64)
