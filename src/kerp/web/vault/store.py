"""The allocation store: sealed lists and the record of releases. Decisions are those of the pure `kerp.allocation`.

Nothing outside this module opens a list. What leaves it is a kit code, or one person's arm after an accepted
unblinding, to the person who asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connections

from kerp.allocation import release
from kerp.allocation.blocks import AllocationList, ArmShare, Entry, Factor, Plan, list_digest
from kerp.allocation.release import Accepted, Command, Event, Refused, Registered, Released, Unblinded
from kerp.allocation.verify import assert_verified
from kerp.base.chain import GENESIS, chain_hash
from kerp.base.digest import canonical, plain
from kerp.base.errors import Fault, KerpError
from kerp.web.actions import door
from kerp.web.vault import sealing
from kerp.web.vault.models import SealedList, VaultEvent
from kerp.web.vault.router import ALIAS

_KINDS: dict[str, type[Registered] | type[Released] | type[Unblinded]] = {
    "registered": Registered,
    "released": Released,
    "unblinded": Unblinded,
}
ASKED, SHOWN = "asked", "shown"  # steps around an unblinding that the pure record does not need
_LOCK = 7_315_002  # PostgreSQL advisory lock of the allocation record


@dataclass(frozen=True, slots=True)
class Opened:
    """A list out of its seal, and which of its arms are the active treatment."""

    made: AllocationList
    active: frozenset[str]


def seal(*, made: AllocationList, active: Iterable[str], by: str) -> SealedList:
    """Store a list, encrypted; its digest in the open. One list per study; it is never replaced."""
    named = frozenset(active)
    arms = {arm.arm for arm in made.plan.arms}
    if not named or not named < arms:
        allowed = f"some, not all, of {', '.join(sorted(arms))}"
        raise KerpError(Fault("say which arms are the active treatment", field="active", allowed=allowed))
    text = canonical({"list": plain(made), "active": sorted(named)})
    with door.act(ALIAS) as now:
        if SealedList.objects.filter(study_code=made.plan.study).exists():
            raise KerpError(Fault("this study has its list already; it is never replaced", found=made.plan.study))
        return SealedList.objects.create(
            study_code=made.plan.study,
            sealed=sealing.sealed(text),
            digest=list_digest(made),
            size=len(made.entries),
            made_at=now,
            made_by=by,
        )


def has_list(study_code: str) -> bool:
    """Whether a list is sealed for this study."""
    return SealedList.objects.filter(study_code=study_code).exists()


def opened(study_code: str) -> Opened:
    """The list of a study, verified against its recorded digest; a changed one is refused."""
    row = SealedList.objects.filter(study_code=study_code).first()
    if row is None:
        raise KerpError(Fault("no allocation list is sealed for this study", found=study_code))
    data = json.loads(sealing.opened(bytes(row.sealed), "the sealed list"))
    made = _list_from(data["list"])
    assert_verified(made, row.digest)
    return Opened(made, frozenset(data["active"]))


def verify_all() -> None:
    """The start-up check: every sealed list opens, verifies, and its record's chain holds."""
    for row in SealedList.objects.all():
        opened(row.study_code)
        _checked_events(row.study_code)


def strata(study_code: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The stratification factors of a study and their levels (no arm in them)."""
    return tuple((factor.name, factor.levels) for factor in opened(study_code).made.plan.factors)


def state(study_code: str) -> release.ReleaseState:
    """Who is registered, who has which kit."""
    return release.fold(record_of(study_code))


def perform(study_code: str, command: Command) -> Accepted:
    """Decide and record in one transaction; a refusal raises with its reasons and records nothing."""
    with door.act(ALIAS) as now:
        _hold(study_code)
        decided = release.decide(opened(study_code).made, record_of(study_code), command)
        if isinstance(decided, Refused):
            raise KerpError(*decided.faults)
        _append(study_code, _kind(decided.event), plain(decided.event), command.by, now.isoformat())
        return decided


def note(study_code: str, kind: str, record: dict[str, str], by: str) -> None:
    """Keep a step around an unblinding: asked, shown."""
    with door.act(ALIAS) as now:
        _hold(study_code)
        _append(study_code, kind, record, by, now.isoformat())


def notes(study_code: str, kind: str) -> list[dict[str, str]]:
    """The steps of one kind, oldest first, each with `by` and `at`."""
    rows = VaultEvent.objects.filter(study_code=study_code, kind=kind).order_by("seq")
    return [json.loads(row.record) | {"by": row.by, "at": row.at.isoformat(), "seq": str(row.seq)} for row in rows]


def arm_for_dispenser(study_code: str, kit: str) -> str:
    """What a released kit holds: for the person who prepares it, nobody else."""
    return release.arm_of(opened(study_code).made, kit)


def arms_for_unblinded(study_code: str) -> tuple[dict[str, str], frozenset[str]]:
    """Subject to arm, and the active arms: for roles that may know, and for the blinding index."""
    found = opened(study_code)
    kits = dict(release.fold(record_of(study_code)).kits)
    return {subject: release.arm_of(found.made, kit) for subject, kit in kits.items()}, found.active


def record_of(study_code: str) -> list[Event]:
    """The pure record: registered, released, unblinded."""
    rows = VaultEvent.objects.filter(study_code=study_code, kind__in=_KINDS).order_by("seq")
    return [_event(row) for row in rows]


def _event(row: VaultEvent) -> Event:
    data = json.loads(row.record)
    if "stratum" in data:
        data["stratum"] = tuple(data["stratum"])
    event: Event = _KINDS[row.kind](**data)
    return event


def _kind(event: Event) -> str:
    return next(name for name, kind in _KINDS.items() if isinstance(event, kind))


def _append(study_code: str, kind: str, record: dict[str, str], by: str, at: str) -> VaultEvent:
    last = VaultEvent.objects.filter(study_code=study_code).order_by("-seq").first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    text = canonical(record)
    hashed = chain_hash(previous, _chained(study_code, seq, kind, text, by, at))
    return VaultEvent.objects.create(
        study_code=study_code, seq=seq, kind=kind, record=text, at=at, by=by, previous_hash=previous, hash=hashed
    )


def _chained(study_code: str, seq: int, kind: str, record: str, by: str, at: str) -> dict[str, object]:
    return {"study": study_code, "seq": seq, "kind": kind, "record": record, "by": by, "at": at}


def _checked_events(study_code: str) -> None:
    previous = GENESIS
    for number, row in enumerate(VaultEvent.objects.filter(study_code=study_code).order_by("seq"), start=1):
        said = _chained(study_code, row.seq, row.kind, row.record, row.by, row.at.isoformat())
        if row.seq != number or chain_hash(previous, said) != row.hash:
            raise KerpError(Fault("the allocation record was changed", where=study_code, found=f"event {row.seq}"))
        previous = row.hash


def _hold(study_code: str) -> None:
    """One act on a study's record at a time; SQLite needs no more than the door."""
    if connections[ALIAS].vendor == "postgresql":
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK % 2**31, study_code])


def _list_from(data: dict[str, object]) -> AllocationList:
    read = json.loads(canonical(data))
    plan = read["plan"]
    arms = tuple(ArmShare(**arm) for arm in plan["arms"])
    factors = tuple(Factor(factor["name"], tuple(factor["levels"])) for factor in plan["factors"])
    made = Plan(
        study=plan["study"],
        arms=arms,
        block_rounds=tuple(plan["block_rounds"]),
        factors=factors,
        per_stratum=plan["per_stratum"],
    )
    entries = tuple(Entry(**(entry | {"stratum": tuple(entry["stratum"])})) for entry in read["entries"])
    return AllocationList(made, entries)
