"""Releasing one allocation at a time, equal syringes, and breaking one blind."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.allocation.blocks import AllocationList, ArmShare, Factor, Plan, generate
from kerp.allocation.chance import Seed
from kerp.allocation.release import (
    Accepted,
    Command,
    Event,
    Refused,
    Register,
    Release,
    Replace,
    Unblind,
    arm_of,
    decide,
    fold,
)

SEED = Seed("3f9a1c0e5b7d2846a0c1e2f3948576bd")
MADE = generate(
    Plan(
        study="KERP-01",
        arms=(ArmShare("concurrent"), ArmShare("sequential")),
        block_rounds=(1, 2),
        factors=(Factor("sri", ("none", "stable")),),
        per_stratum=12,
    ),
    SEED,
)


def register(subject: str, at_ms: int = 0, **changes: object) -> Register:
    usual = {"stratum": ("none",), "eligibility_signed": True, "by": "coordinator", "at_ms": at_ms}
    return Register(subject=subject, **(usual | changes))


def run(record: list[Event], *commands: Command, made: AllocationList = MADE) -> list[Event]:
    for command in commands:
        answer = decide(made, record, command)
        assert isinstance(answer, Accepted), answer
        record = [*record, answer.event]
    return record


def refusal(record: list[Event], command: Command) -> list[str]:
    answer = decide(MADE, record, command)
    assert isinstance(answer, Refused)
    return [fault.message for fault in answer.faults]


def allocated(count: int) -> list[Event]:
    record: list[Event] = []
    for number in range(count):
        record = run(record, register(f"P{number}"), Release(subject=f"P{number}", by="coordinator", at_ms=0))
    return record


def test_people_get_the_places_of_their_stratum_in_order() -> None:
    record = allocated(5)
    assert [kit for _, kit in fold(record).kits] == [entry.kit for entry in MADE.of(("none",))[:5]]


def test_nobody_is_allocated_before_irreversible_registration() -> None:
    assert refusal([], Release(subject="P1", by="x", at_ms=0)) == ["this person is not registered"]
    assert refusal([], register("P1", eligibility_signed=False)) == ["eligibility is not signed"]


def test_only_one_person_waits_for_an_allocation() -> None:
    record = run([], register("P1"))
    assert refusal(record, register("P2")) == ["one allocation at a time"]
    record = run(record, Release(subject="P1", by="x", at_ms=1))
    assert isinstance(decide(MADE, record, register("P2", at_ms=2)), Accepted)


def test_an_allocation_is_never_drawn_again() -> None:
    record = allocated(1)
    assert "never drawn again" in refusal(record, Release(subject="P0", by="x", at_ms=1))[0]
    assert "already registered" in refusal(record, register("P0", stratum=("stable",), at_ms=1))[0]


def test_every_fault_of_a_registration_is_named_at_once() -> None:
    record = run([], register("P1"))
    assert len(refusal(record, register("P1", stratum=("elsewhere",), eligibility_signed=False))) == 4


def test_a_spoilt_kit_is_replaced_by_one_of_the_same_arm_and_order_is_kept() -> None:
    record = allocated(2)
    kit = dict(fold(record).kits)["P0"]
    record = run(record, Replace(subject="P0", spoilt_kit=kit, by="pharmacist", at_ms=5))
    new = dict(fold(record).kits)["P0"]
    assert new != kit
    assert arm_of(MADE, new) == arm_of(MADE, kit)
    record = run(record, register("P9", at_ms=6), Release(subject="P9", by="x", at_ms=6))
    assert dict(fold(record).kits)["P9"] == MADE.of(("none",))[2].kit
    assert "not the kit" in refusal(record, Replace(subject="P0", spoilt_kit=kit, by="x", at_ms=7))[0]


def test_a_used_up_list_says_how_it_is_made_longer() -> None:
    entries = len(MADE.of(("none",)))
    record = run(allocated(entries), register("late"))
    answer = decide(MADE, record, Release(subject="late", by="x", at_ms=0))
    assert isinstance(answer, Refused)
    assert "same seed" in answer.faults[0].ways_out[0]


def test_one_blind_is_broken_with_a_reason_and_a_second_person() -> None:
    record = allocated(3)
    wish = {"subject": "P1", "by": "physician", "at_ms": 9}
    faults = refusal(record, Unblind(**wish, reason="ill", second_person="physician"))
    assert faults == ["breaking the blind needs its reason", "breaking the blind needs a second person"]
    answer = decide(
        MADE, record, Unblind(**wish, reason="seizure, antidote depends on the drug", second_person="nurse")
    )
    assert isinstance(answer, Accepted)
    assert answer.arm == arm_of(MADE, dict(fold(record).kits)["P1"])
    assert (
        "no allocation"
        in refusal(record, Unblind(subject="P7", by="a", reason="x" * 20, second_person="b", at_ms=9))[0]
    )
    assert fold([*record, answer.event]).unblinded == ("P1",)


def test_the_record_never_holds_an_arm() -> None:
    record = allocated(4)
    answer = decide(
        MADE, record, Unblind(subject="P1", by="a", reason="seizure after the dose", second_person="b", at_ms=1)
    )
    assert isinstance(answer, Accepted)
    text = repr([*record, answer.event])
    assert not any(arm in text for arm in ("concurrent", "sequential"))


def test_time_does_not_run_backwards_in_the_record() -> None:
    record = run([], register("P1", at_ms=10))
    assert refusal(record, Release(subject="P1", by="x", at_ms=9)) == ["the record already holds a later event"]


@settings(max_examples=30, deadline=None)
@given(strata=st.lists(st.sampled_from(["none", "stable"]), max_size=20))
def test_arms_stay_within_half_a_block_of_balance_in_every_stratum(strata: list[str]) -> None:
    record: list[Event] = []
    for number, stratum in enumerate(strata):
        if strata[:number].count(stratum) >= 12:
            continue
        wish = register(f"P{number}", stratum=(stratum,))
        record = run(record, wish, Release(subject=f"P{number}", by="x", at_ms=0))
    state = fold(record)
    for stratum in MADE.plan.strata:
        arms = Counter(arm_of(MADE, kit) for subject, kit in state.kits if dict(state.strata)[subject] == stratum)
        assert abs(arms["concurrent"] - arms["sequential"]) <= 2
