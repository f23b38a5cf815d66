"""Allocation of simulated participants: permuted blocks of varying size inside strata, for many trials at once.

The same procedure as `kerp.allocation`, drawn from NumPy streams because lists are needed by the million here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kerp.trial.design import Design

Ints = NDArray[np.int64]


def strata_of(design: Design, chance: np.random.Generator, trials: int, patients: int) -> tuple[Ints, Ints]:
    """Levels of each stratification factor (t, n, f), and the stratum each participant is allocated in (t, n)."""
    counts = [len(stratum.levels) for stratum in design.strata]
    levels = np.stack([chance.integers(0, k, (trials, patients)) for k in counts], axis=-1) if counts else None
    if levels is None:
        return np.zeros((trials, patients, 0), dtype=np.int64), np.zeros((trials, patients), dtype=np.int64)
    stratum = np.zeros((trials, patients), dtype=np.int64)
    for index, factor in enumerate(design.strata):
        if factor.name in design.allocation.stratified_by:
            stratum = stratum * counts[index] + levels[..., index]
    return levels, stratum


def allocate(design: Design, chance: np.random.Generator, stratum: Ints) -> Ints:
    """Arm of each participant (t, n), by position in the list of their stratum."""
    trials, patients = stratum.shape
    cells = int(np.prod([len(s.levels) for s in design.strata if s.name in design.allocation.stratified_by]))
    arms = np.zeros((trials, patients), dtype=np.int64)
    for cell in range(cells):
        places = _lists(design, chance, trials, patients)
        inside = stratum == cell
        position = np.cumsum(inside, axis=1) - 1
        drawn = np.take_along_axis(places, np.maximum(position, 0), axis=1)
        arms = np.where(inside, drawn, arms)
    return arms


def _lists(design: Design, chance: np.random.Generator, trials: int, length: int) -> Ints:
    """A list of arms (t, length) for one stratum of each trial."""
    deck = np.repeat(np.arange(len(design.arms)), design.shares)
    rounds = np.asarray(design.allocation.block_rounds)
    most_blocks = -(-length // (int(rounds.min()) * len(deck)))
    sizes = rounds[chance.integers(0, len(rounds), (trials, most_blocks))] * len(deck)
    ends = np.cumsum(sizes, axis=1)
    place = np.arange(length)
    block = (place[None, :, None] >= ends[:, None, :]).sum(axis=-1) if most_blocks <= 64 else _search(ends, length)
    starts = np.concatenate([np.zeros((trials, 1), dtype=ends.dtype), ends], axis=1)
    size = np.take_along_axis(sizes, np.minimum(block, most_blocks - 1), axis=1)
    start = np.take_along_axis(starts, np.minimum(block, most_blocks), axis=1)
    return deck[_rank_in_block(chance, block, start, size, length) % len(deck)]


def _search(ends: Ints, length: int) -> Ints:
    place = np.arange(length)
    return np.stack([np.searchsorted(row, place, side="right") for row in ends])


def _rank_in_block(chance: np.random.Generator, block: Ints, start: Ints, size: Ints, length: int) -> Ints:
    """Random order inside each block. The last block may be cut off by `length`; its missing places are drawn too."""
    spill = int(size.max())
    trials = block.shape[0]
    wide_block = np.concatenate([block, np.repeat(block[:, -1:], spill, axis=1)], axis=1)
    beyond = (start + size)[:, -1:] <= np.arange(length, length + spill)[None, :]
    wide_block[:, length:] += beyond
    key = wide_block + chance.random((trials, length + spill))
    rank = np.argsort(np.argsort(key, axis=1), axis=1)[:, :length]
    return rank - start
