"""Trials on virtual patients: the same people in every arm, no drug no difference, mechanisms side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kerp.base.errors import KerpError
from kerp.trial.block import Task, simulate_block, trials_per_block
from kerp.trial.design import Design
from kerp.trial.load import design_ids, load_design, load_planning
from kerp.trial.mechanism import MechanismWorld, mechanism, schedule_of
from kerp.trial.run import scenarios_for
from kerp.trial.scenario import NO_LAYERS, Scenario

PLANNING = load_planning("ybocs-ocd")
WORLD = MechanismWorld()


def world(design: Design, model: str = "core") -> Scenario:
    return Scenario(name="test", design=design, planning=PLANNING, effect_points=0.0, model=model, layers=NO_LAYERS)


def lived(design: Design, model: str, people: int = 120) -> np.ndarray:
    """Endpoint scores (people, arms) of the same people in every arm."""
    scenario = world(design, model)
    patients = WORLD.draw(scenario, 5, 0, 1, people)
    visit = design.endpoint.visit_days.index(design.endpoint.day)
    everyone = np.ones((1, people), dtype=bool)
    arms = [np.full((1, people), arm) for arm in range(len(design.arms))]
    return np.stack([WORLD.outcomes(scenario, patients, arm, everyone)[0, :, visit] for arm in arms], axis=-1)


@pytest.mark.parametrize("name", design_ids())
def test_every_shipped_design_can_be_lived_through(name: str) -> None:
    design = load_design(name)
    for arm in design.arms:
        schedule = schedule_of(design, arm)
        assert len(schedule.sessions) == len(arm.erp_days) + len(design.probes)
        assert schedule.rating_valid(design.endpoint.day)


def test_without_a_drug_effect_the_same_sessions_give_the_same_scores() -> None:
    design = load_design("timing-2x2")
    scores = lived(design, "core", 60)
    names = [arm.id for arm in design.arms]
    saline = [names.index("control-during"), names.index("control-delayed")]
    inert = lived(load_design("timing-2x2-saline"), "core", 60)
    assert np.array_equal(scores[:, saline], inert[:, saline])
    earlier = scores[:, saline[0]] - scores[:, saline[1]]
    assert np.abs(earlier).max() < 1.5  # one session of ten a day earlier


def test_mechanisms_of_opposite_sign_move_the_same_people_apart() -> None:
    design = load_design("repeated-infusions")
    names = [arm.id for arm in design.arms]
    during, after = names.index("during"), names.index("day-after")
    helps, harms = (lived(design, f"core:kappa_a={v},kappa_c={v}") for v in (0.8, -1.5))
    gain = (helps[:, during] - helps[:, after]).mean()
    loss = (harms[:, during] - harms[:, after]).mean()
    assert gain < loss - 0.5
    assert helps[:, after] == pytest.approx(harms[:, after], abs=1.5)


def test_exposure_helps_and_attention_alone_does_little() -> None:
    design = load_design("synergy-2x2")
    scores = lived(design, "core", 80).mean(axis=0)
    erp, attention = scores[2], scores[3]
    assert erp < attention - 4


def test_whoever_stops_the_infusion_keeps_living_the_sessions() -> None:
    design = load_design("timing-two-arm")
    scenario = world(design, "core:kappa_p=0.6")
    patients = WORLD.draw(scenario, 5, 0, 1, 40)
    arms = np.zeros((1, 40), dtype=int)
    whole, half = (WORLD.outcomes(scenario, patients, arms, np.full((1, 40), on)) for on in (True, False))
    assert (half[..., 1] - whole[..., 1]).mean() > 0.05


def test_blocks_of_virtual_patients_are_fixed_by_the_design() -> None:
    design = load_design("timing-two-arm")
    assert trials_per_block(world(design)) == 2048 // 34
    first, again = (simulate_block(Task(world(design), 3, 1, 4, (0.0,))).endpoint for _ in range(2))
    assert np.array_equal(first, again)
    other = simulate_block(Task(world(design, "core:kappa_c=-0.5"), 3, 1, 4, (0.0,)))
    assert np.array_equal(other.tables.baseline, simulate_block(Task(world(design), 3, 1, 4, (0.0,))).tables.baseline)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cure", "cure"),
        ("core:kappa_a=much", "no setting"),
        ("core:kappa_z=1", "kappa_z"),
        ("core:kappa_a=99", "support"),
        ("core:V0=+", "no sign to choose"),
        ("dissolution-only:kappa_p=0.6", "holds"),
        ("block:kappa_c=+", "other side of 0"),
        ("linear-null:kappa_a=-", "does not read"),
    ],
)
def test_a_mechanism_that_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(KerpError, match=message):
        mechanism(text)


def test_opposite_names_two_mechanisms_and_the_default_shows_both_beside_the_planned_effect() -> None:
    design = load_design("timing-two-arm")
    pair = scenarios_for(design, PLANNING, ("opposite",), None, NO_LAYERS)
    assert [mechanism(item.model).signs for item in pair] == [
        (("kappa_a", 1), ("kappa_c", 1)),
        (("kappa_a", -1), ("kappa_c", -1)),
    ]
    usual = scenarios_for(design, PLANNING, (), None, NO_LAYERS)
    assert [item.model for item in usual] == ["normal", "normal", *(item.model for item in pair)]
    names = [item.name for item in usual]
    assert names == ["planned effect", "assurance", "drug favours", "drug opposes"]


def nasal(design: Design, dose_mg: float = 56.0) -> Design:
    """The same design with nasal esketamine in every arm."""
    dose = replace(design.arms[0].dose, value=dose_mg, unit="mg")
    return replace(design, arms=tuple(replace(arm, drug="esketamine", dose=dose) for arm in design.arms))


def test_nasal_arms_are_lived_with_whole_devices_through_the_nasal_model() -> None:
    design = nasal(load_design("timing-two-arm"))
    (dose,) = schedule_of(design, design.arms[0]).doses
    assert (dose.route, dose.agent, dose.devices, dose.device_mg) == ("nasal_spray", "esketamine", 2, 28.0)
    patients = WORLD.draw(world(design), 5, 0, 1, 8)
    assert list(patients.drug.kinetics) == ["perezruixo2021"]


def test_the_sign_of_the_coupling_matters_more_the_larger_the_nasal_dose() -> None:
    apart = []
    for dose_mg in (28.0, 84.0):
        design = nasal(load_design("timing-two-arm"), dose_mg)
        helps, harms = (lived(design, f"core:kappa_a={v},kappa_c={v}", 60)[:, 0] for v in (0.8, -1.5))
        apart.append((harms - helps).mean())
    assert apart[1] > apart[0] > 0.3  # the learning effect saturates: three devices do little more than one


def test_arms_of_both_routes_have_both_kinetics_of_the_same_person() -> None:
    design = load_design("timing-two-arm")
    mixed = replace(design, arms=(design.arms[0], nasal(design).arms[1]))
    drug = WORLD.draw(world(mixed), 5, 0, 1, 6).drug
    assert set(drug.kinetics) == {"kamp2020", "perezruixo2021"}
    alone = WORLD.draw(world(design), 5, 0, 1, 6).drug
    for name, values in alone.kinetics["kamp2020"].items():
        assert np.array_equal(values, drug.kinetics["kamp2020"][name])
