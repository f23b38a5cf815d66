"""The randomisation list: permuted blocks of varying size in every stratum, from a recorded seed.

The arms of a stratum depend on the seed, the study and the stratum only: a longer list has the shorter one as its
beginning, and adding a stratum changes no other. So do kit codes, save where two collide: about once in a million
lists of a thousand entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from kerp.allocation.chance import Seed, below, shuffled, words
from kerp.allocation.kit import kit_codes
from kerp.base.digest import digest
from kerp.base.errors import Fault, KerpError

MOST_ENTRIES = 100_000
Stratum = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArmShare:
    """An arm and how many of each round go to it."""

    arm: str
    share: int = 1


@dataclass(frozen=True, slots=True)
class Factor:
    """A stratification factor and its levels."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a list is made. `block_rounds` are the block sizes in rounds, drawn with equal chance for each block.

    `per_stratum` entries are made in every stratum, rounded up to whole blocks. Raises `KerpError` with every fault.
    """

    study: str
    arms: tuple[ArmShare, ...]
    block_rounds: tuple[int, ...]
    factors: tuple[Factor, ...] = ()
    per_stratum: int

    def __post_init__(self) -> None:
        if faults := tuple(_plan_faults(self)):
            raise KerpError(*faults)

    @property
    def round_size(self) -> int:
        """Participants in one round."""
        return sum(arm.share for arm in self.arms)

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """Every combination of levels; one empty stratum where nothing is stratified."""
        return tuple(product(*(factor.levels for factor in self.factors)))


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of the list: where it stands, its arm, its kit. Never shown to anyone blinded."""

    stratum: Stratum
    sequence: int
    block: int
    block_size: int
    arm: str
    kit: str


@dataclass(frozen=True, slots=True)
class AllocationList:
    """A whole list and the plan it was made by."""

    plan: Plan
    entries: tuple[Entry, ...]

    def of(self, stratum: Stratum) -> tuple[Entry, ...]:
        """The entries of one stratum in their order."""
        return tuple(entry for entry in self.entries if entry.stratum == stratum)


def generate(plan: Plan, seed: Seed) -> AllocationList:
    """The list of a plan and a seed: always the same one."""
    entries: list[Entry] = []
    taken: frozenset[str] = frozenset()
    for stratum in plan.strata:
        arms = _take(_arms(plan, stratum, seed), plan.per_stratum)
        purpose = f"kits\0{plan.study}\0" + "\0".join(stratum)
        kits = kit_codes(words(seed, purpose), len(arms), taken)
        taken |= frozenset(kits)
        entries += [
            Entry(stratum, number, block, size, arm, kit)
            for number, ((block, size, arm), kit) in enumerate(zip(arms, kits, strict=True), start=1)
        ]
    return AllocationList(plan, tuple(entries))


def list_digest(made: AllocationList) -> str:
    """What is printed, signed and compared at every start-up."""
    return digest(made)


_Place = tuple[int, int, str]  # block number, block size, arm


def _arms(plan: Plan, stratum: Stratum, seed: Seed) -> Iterator[list[_Place]]:
    """Block after block, without end."""
    source = words(seed, f"blocks\0{plan.study}\0" + "\0".join(stratum))
    one_round = [arm.arm for arm in plan.arms for _ in range(arm.share)]
    block = 0
    while True:
        block += 1
        deck = one_round * plan.block_rounds[below(source, len(plan.block_rounds))]
        yield [(block, len(deck), arm) for arm in shuffled(source, deck)]


def _take(blocks: Iterator[list[_Place]], at_least: int) -> list[_Place]:
    taken: list[_Place] = []
    while len(taken) < at_least:
        taken += next(blocks)
    return taken


def _plan_faults(plan: Plan) -> Iterator[Fault]:
    names = [arm.arm for arm in plan.arms]
    if len(names) < 2 or len(set(names)) != len(names):
        yield Fault("a list needs at least two different arms", field="arms", found=", ".join(names))
    if any(arm.share < 1 for arm in plan.arms):
        yield Fault(
            "a share is a whole number above 0", field="arms", found=", ".join(str(a.share) for a in plan.arms)
        )
    if not plan.block_rounds or min(plan.block_rounds) < 1 or len(set(plan.block_rounds)) < len(plan.block_rounds):
        found = ", ".join(map(str, plan.block_rounds))
        yield Fault("block sizes are different whole numbers of rounds", field="block_rounds", found=found)
    for factor in plan.factors:
        if len(factor.levels) < 2 or len(set(factor.levels)) != len(factor.levels):
            found = ", ".join(factor.levels)
            yield Fault("a factor has at least two different levels", field=f"factors.{factor.name}", found=found)
    if not plan.study.strip():
        yield Fault("the list belongs to a study", field="study", found=plan.study)
    if not 1 <= plan.per_stratum * max(len(plan.strata), 1) <= MOST_ENTRIES:
        found, allowed = str(plan.per_stratum), f"1 to {MOST_ENTRIES} entries in all"
        yield Fault("the list is empty or too long", field="per_stratum", found=found, allowed=allowed)
