"""Random streams that do not depend on batch size, worker count or scenario (DESIGN decision 17)."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from kerp.base.errors import Fault, KerpError


class Stream(IntEnum):
    """What a stream of numbers is for. Never keyed by scenario or arm, so that arms share their chance."""

    PATIENT = 0
    PROCESS = 1
    MEASUREMENT = 2
    ALLOCATION = 3
    ANALYSIS = 4


def generator(root: int, stream: Stream, block: int = 0, *more: int) -> np.random.Generator:
    """The generator of one fixed-size block of one stream under one root seed (a non-negative integer)."""
    if root < 0:
        raise KerpError(Fault("a seed is a whole number, zero or more", found=str(root)))
    return np.random.default_rng(np.random.SeedSequence(root, spawn_key=(int(stream), block, *more)))
