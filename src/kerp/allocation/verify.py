"""Is this the list that was made? Run at every start-up, and by anyone who has the seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from kerp.allocation.blocks import AllocationList, Entry, Plan, Stratum, generate, list_digest
from kerp.allocation.chance import Seed
from kerp.allocation.kit import read_kit_code
from kerp.base.errors import Fault, KerpError

_MOST_NAMED = 10
_RESTORE = ("stop allocating, restore the list from its sealed copy, and tell the person who keeps the seed",)


def verify(made: AllocationList, recorded_digest: str, seed: Seed | None = None) -> tuple[Fault, ...]:
    """Every way in which a stored list is not the list it should be; empty when it is.

    No message names an arm: a start-up log may be read by blinded people. With the seed, the entries that differ from
    the list it makes are named as well.
    """
    faults = [*_strata(made), *_kits(made.entries)]
    for stratum in made.plan.strata:
        faults += _order(stratum, made.of(stratum), made.plan)
    if list_digest(made) != recorded_digest:
        message = "the list is not the one whose digest was recorded"
        found = list_digest(made)
        faults.append(Fault(message, field="digest", found=found, allowed=recorded_digest, ways_out=_RESTORE))
    if seed is not None:
        faults += _against_seed(made, seed)
    return tuple(faults)


def assert_verified(made: AllocationList, recorded_digest: str) -> None:
    """Refuse to start with a list that does not verify."""
    if faults := verify(made, recorded_digest):
        raise KerpError(*faults)


def _strata(made: AllocationList) -> Iterator[Fault]:
    known = set(made.plan.strata)
    if strange := {entry.stratum for entry in made.entries} - known:
        found = "; ".join(sorted("/".join(stratum) for stratum in strange))
        yield Fault(
            "the list has strata that its plan does not have", field="entries", found=found, ways_out=_RESTORE
        )


def _kits(entries: Sequence[Entry]) -> Iterator[Fault]:
    for kit, count in Counter(entry.kit for entry in entries).items():
        if count > 1:
            yield Fault(f"a kit stands in the list {count} times", field="entries", found=kit, ways_out=_RESTORE)
    for entry in entries:
        try:
            read_kit_code(entry.kit)
        except KerpError:
            yield Fault("a kit code has wrong check characters", field="entries", found=entry.kit, ways_out=_RESTORE)


def _order(stratum: Stratum, entries: Sequence[Entry], plan: Plan) -> Iterator[Fault]:
    name = "/".join(stratum) or "the only stratum"
    if [entry.sequence for entry in entries] != list(range(1, len(entries) + 1)):
        yield Fault(
            f"the order of {name} has gaps, repeats or exchanges", field="entries.sequence", ways_out=_RESTORE
        )
    if len(entries) < plan.per_stratum:
        found, allowed = str(len(entries)), f"at least {plan.per_stratum}"
        yield Fault(f"{name} has lost entries", field="entries", found=found, allowed=allowed, ways_out=_RESTORE)
    yield from _blocks(name, entries, plan)


def _blocks(name: str, entries: Sequence[Entry], plan: Plan) -> Iterator[Fault]:
    sizes = {rounds * plan.round_size for rounds in plan.block_rounds}
    blocks: dict[int, list[Entry]] = {}
    for entry in entries:
        blocks.setdefault(entry.block, []).append(entry)
    if [entry.block for entry in entries] != sorted(entry.block for entry in entries) or list(blocks) != list(
        range(1, len(blocks) + 1)
    ):
        yield Fault(f"the blocks of {name} are out of order", field="entries.block", ways_out=_RESTORE)
    for number, block in blocks.items():
        rounds = len(block) // plan.round_size
        counted = Counter(entry.arm for entry in block)
        due = {arm.arm: arm.share * rounds for arm in plan.arms}
        if len(block) not in sizes or counted != due or {entry.block_size for entry in block} != {len(block)}:
            message = f"block {number} of {name} does not hold every arm in its share"
            yield Fault(message, field="entries", ways_out=_RESTORE)


def _against_seed(made: AllocationList, seed: Seed) -> list[Fault]:
    due = generate(made.plan, seed)
    if len(due.entries) != len(made.entries):
        found, allowed = str(len(made.entries)), str(len(due.entries))
        return [Fault("the seed makes a list of another length", "", None, "entries", found, allowed, _RESTORE)]
    pairs = enumerate(zip(made.entries, due.entries, strict=True), start=1)
    changed = [f"{n} (kit {stored.kit})" for n, (stored, right) in pairs if stored != right]
    if not changed:
        return []
    rest = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
    found = ", ".join(changed[:_MOST_NAMED]) + rest
    return [Fault("entries are not those that the seed makes", field="entries", found=found, ways_out=_RESTORE)]
