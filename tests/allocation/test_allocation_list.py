"""Randomisation lists: balanced, unpredictable, repeatable, and hard to alter unseen."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from kerp.allocation.blocks import AllocationList, ArmShare, Factor, Plan, generate, list_digest
from kerp.allocation.chance import Seed, below, shuffled, words
from kerp.allocation.kit import ALPHABET, kit_codes, read_kit_code
from kerp.allocation.verify import assert_verified, verify
from kerp.base.errors import KerpError

SEED = Seed("3f9a1c0e5b7d2846a0c1e2f3948576bd")
OTHER = Seed("00112233445566778899aabbccddeeff")


def plan(**changes: object) -> Plan:
    usual: dict[str, object] = {
        "study": "KERP-01",
        "arms": (ArmShare("concurrent"), ArmShare("sequential")),
        "block_rounds": (1, 2, 3),
        "factors": (Factor("sri", ("none", "stable")), Factor("theme", ("taboo", "other"))),
        "per_stratum": 30,
    }
    return Plan(**(usual | changes))


def test_words_are_the_documented_hash() -> None:
    text = b"kerp allocation 1\x003f9a1c0e5b7d2846a0c1e2f3948576bd\x00blocks\x00"
    expected = [int.from_bytes(hashlib.sha256(text + number).digest(), "big") for number in (b"0", b"1", b"2")]
    assert list(itertools.islice(words(SEED, "blocks"), 3)) == expected


@pytest.mark.parametrize("limit", [2, 3, 7, 29])
def test_draws_are_uniform(limit: int) -> None:
    draws = 6000
    source = words(SEED, f"uniform {limit}")
    counted = Counter(below(source, limit) for _ in range(draws))
    statistic = sum((counted[k] - draws / limit) ** 2 / (draws / limit) for k in range(limit))
    assert statistic < chi2.isf(1e-4, limit - 1)


def test_every_order_of_a_block_is_equally_likely() -> None:
    source, draws = words(SEED, "orders"), 7200
    counted = Counter(shuffled(source, "AABB") for _ in range(draws))
    assert len(counted) == 6
    assert sum((count - draws / 6) ** 2 / (draws / 6) for count in counted.values()) < chi2.isf(1e-4, 5)


def test_a_draw_rejects_the_words_that_would_favour_small_values() -> None:
    top = (1 << 256) - 1  # 2**256 = 1 modulo 3: the last word alone would make 0 more likely
    assert below(iter([top, 5]), 3) == 2


@settings(max_examples=40, deadline=None)
@given(
    shares=st.lists(st.integers(1, 3), min_size=2, max_size=5),
    rounds=st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True),
    per_stratum=st.integers(1, 40),
    levels=st.integers(2, 4),
)
def test_every_list_verifies_and_every_block_is_balanced(
    shares: list[int], rounds: list[int], per_stratum: int, levels: int
) -> None:
    arms = tuple(ArmShare(f"arm{number}", share) for number, share in enumerate(shares))
    factor = Factor("site", tuple(f"s{number}" for number in range(levels)))
    made = generate(plan(arms=arms, block_rounds=tuple(rounds), factors=(factor,), per_stratum=per_stratum), SEED)
    assert verify(made, list_digest(made), SEED) == ()
    for stratum in made.plan.strata:
        for _, block in itertools.groupby(made.of(stratum), key=lambda entry: entry.block):
            entries = list(block)
            counted = Counter(entry.arm for entry in entries)
            assert [counted[arm.arm] * sum(shares) for arm in arms] == [share * len(entries) for share in shares]


def test_the_same_seed_makes_the_same_list_and_another_seed_another() -> None:
    made = generate(plan(), SEED)
    assert generate(plan(), Seed(SEED.digits.upper())) == made
    assert generate(plan(), OTHER).entries != made.entries
    assert generate(plan(study="KERP-02"), SEED).entries[0].kit != made.entries[0].kit


def test_a_longer_list_begins_with_the_shorter_and_a_new_stratum_changes_no_other() -> None:
    short, long = generate(plan(), SEED), generate(plan(per_stratum=90), SEED)
    wider = generate(
        plan(factors=(Factor("sri", ("none", "stable")), Factor("theme", ("taboo", "other", "doubt")))), SEED
    )
    for stratum in short.plan.strata:
        assert long.of(stratum)[: len(short.of(stratum))] == short.of(stratum)
        assert wider.of(stratum) == short.of(stratum)


def test_block_sizes_vary() -> None:
    sizes = Counter(entry.block_size for entry in generate(plan(per_stratum=300), SEED).entries)
    assert set(sizes) == {2, 4, 6}


def test_the_next_arm_cannot_be_told_from_kits_before_it() -> None:
    entries = generate(plan(factors=(), per_stratum=2000), SEED).entries
    by_letter: dict[str, Counter[str]] = {}
    for entry in entries:
        by_letter.setdefault(entry.kit[0], Counter())[entry.arm] += 1
    statistic = sum(
        (counted[arm] - total / 2) ** 2 / (total / 2)
        for counted in by_letter.values()
        for total in [sum(counted.values())]
        for arm in ("concurrent", "sequential")
    )
    assert statistic < chi2.isf(1e-4, len(by_letter))
    assert not any(arm[:4] in entry.kit.lower() for entry in entries for arm in ("concurrent", "sequential"))
    kits = [entry.kit for entry in entries]
    assert sorted(kits) != kits


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_wrong_character_or_two_exchanged_are_always_found(data: st.DataObject) -> None:
    code = kit_codes(words(SEED, "typing"), 50)[data.draw(st.integers(0, 49))]
    plain = list(code.replace("-", ""))
    first, second = data.draw(st.lists(st.integers(0, 9), min_size=2, max_size=2, unique=True))
    wrong, exchanged = plain.copy(), plain.copy()
    wrong[first] = data.draw(st.sampled_from([letter for letter in ALPHABET if letter != plain[first]]))
    exchanged[first], exchanged[second] = exchanged[second], exchanged[first]
    with pytest.raises(KerpError, match="check characters"):
        read_kit_code("".join(wrong))
    if exchanged != plain:
        with pytest.raises(KerpError, match="check characters"):
            read_kit_code("".join(exchanged))
    assert read_kit_code(f" {''.join(plain).lower()} ") == code


def tampered(made: AllocationList, index: int, **changes: object) -> AllocationList:
    entries = list(made.entries)
    entries[index] = replace(entries[index], **changes)
    return AllocationList(made.plan, tuple(entries))


def test_every_kind_of_tampering_is_found_and_no_message_names_an_arm() -> None:
    made = generate(plan(), SEED)
    good = list_digest(made)
    entries = made.entries
    other_arm = {"concurrent": "sequential", "sequential": "concurrent"}[entries[5].arm]
    swapped = list(entries)
    far = next(
        i for i, entry in enumerate(entries) if entry.block == entries[0].block and entry.arm != entries[0].arm
    )
    swapped[0], swapped[far] = replace(entries[0], arm=entries[far].arm), replace(entries[far], arm=entries[0].arm)
    altered = {
        "arm changed": tampered(made, 5, arm=other_arm),
        "two arms of a block exchanged": AllocationList(made.plan, tuple(swapped)),
        "kit repeated": tampered(made, 5, kit=entries[6].kit),
        "kit mistyped": tampered(made, 5, kit="AAAAA-AAAAA"),
        "sequence changed": tampered(made, 5, sequence=99),
        "block changed": tampered(made, 5, block=99),
        "stratum changed": tampered(made, 5, stratum=("none", "elsewhere")),
        "entry lost": AllocationList(made.plan, entries[:-1]),
        "order changed": AllocationList(made.plan, (entries[1], entries[0], *entries[2:])),
    }
    for name, bad in altered.items():
        faults = verify(bad, good, SEED)
        assert any("digest" in fault.message for fault in faults), name
        assert len(faults) >= 2, name
        assert not any(arm in str(fault) for fault in faults for arm in ("concurrent", "sequential")), name
        with pytest.raises(KerpError):
            assert_verified(bad, good)
    assert_verified(made, good)


def test_a_list_of_another_seed_is_recognised() -> None:
    made = generate(plan(), OTHER)
    (fault,) = verify(made, list_digest(made), SEED)
    assert "not those that the seed makes" in fault.message or "another length" in fault.message


@pytest.mark.parametrize("digits", ["1234", "g" * 32, "0" * 32, "01" * 16])
def test_a_seed_that_could_be_guessed_is_refused(digits: str) -> None:
    with pytest.raises(KerpError, match="could be guessed"):
        Seed(digits)


def test_a_seed_never_prints_itself() -> None:
    assert SEED.digits not in repr(SEED)


def test_every_fault_of_a_plan_is_named_at_once() -> None:
    with pytest.raises(KerpError) as caught:
        Plan(
            study=" ", arms=(ArmShare("a", 0),), block_rounds=(2, 2), factors=(Factor("sri", ("x",)),), per_stratum=0
        )
    assert [fault.field for fault in caught.value.faults] == [
        "arms", "arms", "block_rounds", "factors.sri", "study", "per_stratum",
    ]  # fmt: skip


def test_the_room_loads_no_clock_chance_disk_or_numpy() -> None:
    code = (
        "import sys, kerp.allocation.release, kerp.allocation.verify, kerp.allocation.preparation\n"
        "loaded = {'numpy', 'scipy', 'random', 'secrets', 'pydantic', 'click', 'django', 'uuid'} & set(sys.modules)\n"
        "print(sorted(loaded)); sys.exit(bool(loaded))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
