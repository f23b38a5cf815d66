"""Designs as data: what ships, what they cost, what is refused and how it is said."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from kerp.base.data import DATA
from kerp.base.errors import KerpError
from kerp.base.tomlfile import read_toml
from kerp.cli.trial import trial
from kerp.evidence.references import reference_ids
from kerp.evidence.sourcing import unsourced
from kerp.trial.check import contact_min, warnings
from kerp.trial.load import (
    DESIGN_SCHEMA_ID,
    design_ids,
    design_schema,
    find_design,
    load_design,
    load_planning,
    read_design,
)
from kerp.trial.power import half_width, precision_n_per_arm
from kerp.trial.sizing import costs, size_for
from kerp.trial.wording import COMPUTED_BY

PUBLISHED_SIZES = [("timing-two-arm", 34), ("timing-2x2", 128), ("four-arm", 68), ("five-arm", 85)]
SHIPPED = design_ids()
BASE = (DATA / "designs" / "timing-two-arm.toml").read_text(encoding="utf-8")


def answer(*arguments: str) -> dict:
    return json.loads(CliRunner().invoke(trial, [*arguments, "--json"], catch_exceptions=False).output)


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def faults_of(tmp_path: Path, text: str) -> list:
    with pytest.raises(KerpError) as caught:
        read_design(written(tmp_path, text))
    return list(caught.value.faults)


@pytest.mark.parametrize(("design", "n_total"), PUBLISHED_SIZES)
def test_one_residual_sd_costs_34_128_68_and_85_patients(design: str, n_total: int) -> None:
    assert answer("power", design, "--effect-sd", "1", "--target", "0.8")["n_total"] == n_total


@pytest.mark.parametrize("design", SHIPPED)
def test_every_shipped_design_loads_and_fits_its_schema(design: str) -> None:
    found = load_design(design)
    assert found.id == design
    document = tomllib.loads((DATA / "designs" / f"{design}.toml").read_text(encoding="utf-8"))
    jsonschema.validate(document, design_schema())


def test_the_published_schema_is_that_of_the_model() -> None:
    published = json.loads((DATA / "schemas" / DESIGN_SCHEMA_ID).read_text(encoding="utf-8"))
    assert design_schema() == published, "run: python tools/schemas.py"
    jsonschema.Draft202012Validator.check_schema(published)
    bad = tomllib.loads(BASE) | {"surprise": 1}
    assert not jsonschema.Draft202012Validator(published).is_valid(bad)


@pytest.mark.parametrize("folder", ["designs", "planning"])
def test_every_number_of_a_design_is_a_choice_or_has_its_source(folder: str) -> None:
    for path in sorted((DATA / folder).glob("*.toml")):
        assert unsourced(read_toml(path), reference_ids(), folder) == ()


@pytest.mark.parametrize("design", SHIPPED)
def test_the_planned_size_is_what_the_closed_form_or_the_precision_asks_for(design: str) -> None:
    found = load_design(design)
    size = found.size
    if size.by == "precision":
        assert size.n_total == len(found.arms) * precision_n_per_arm(size.half_width_sd, size.confidence)
        return
    planned = size_for(found, load_planning(found.planning), size.effect_sd, size.target_power)
    assert size.n_total == planned.n_total


@pytest.mark.parametrize("design", SHIPPED)
def test_arms_of_the_primary_contrast_have_equal_contact_time(design: str) -> None:
    found = load_design(design)
    compared = [arm for arm in found.arms if found.primary.weights.get(arm.id)]
    assert len({contact_min(arm) for arm in compared}) == 1


def test_the_effect_assumed_for_planning_costs_hundreds_to_thousands() -> None:
    found = load_design("timing-two-arm")
    low, high, hopeful = costs(found, load_planning(found.planning)).mechanism
    assert 100 < hopeful.n_total < 1000 < high.n_total < low.n_total < 10_000


def test_what_the_engine_gives_over_the_prior_is_said_beside_what_is_assumed_with_its_command() -> None:
    screen = " ".join(CliRunner().invoke(trial, ["show", "timing-two-arm"], catch_exceptions=False).output.split())
    planning = load_planning("ybocs-ocd")
    for item in (
        planning.mechanism_computed,
        planning.mechanism_computed_favours,
        planning.mechanism_computed_opposes,
    ):
        assert f"{item.value:+.2f}" in screen
        assert item.note.startswith("computed")
    assert COMPUTED_BY in screen
    assert f"costs {costs(load_design('timing-two-arm'), planning).computed.n_total:,} patients" in screen
    assert "predicts" not in screen


@pytest.mark.parametrize("command", [["show"], ["power"]])
@pytest.mark.parametrize("design", ["timing-two-arm", "timing-2x2"])
def test_the_first_screen_says_what_an_interaction_and_the_mechanism_cost(command: list[str], design: str) -> None:
    screen = " ".join(CliRunner().invoke(trial, [*command, design], catch_exceptions=False).output.split())
    assert "interaction" in screen
    assert "16 times" in screen
    assert "Assumed: concurrent and sequential differ by 0.5 to 1 points" in screen
    for cost in ("two arms 34 and 1,224 to", "interaction 128 and 4,888 to", "four arms 68 and", "five arms 85 and"):
        assert cost in screen


def test_therapists_in_one_arm_only_inflate_the_size(tmp_path: Path) -> None:
    nested = find_design(written(tmp_path, BASE.replace("crossed = true", "crossed = false")))
    result = size_for(nested, load_planning(nested.planning), 1.0, 0.8)
    assert result.design_effect == pytest.approx(1 + (34 / 4 - 1) * 0.05)
    assert result.n_total == 48
    assert "each therapist treats in one arm only" in " ".join(w.message for w in warnings(nested))


def test_a_pilot_of_18_per_arm_tells_the_difference_to_two_thirds_of_a_residual_sd() -> None:
    assert half_width(18) == pytest.approx(2.0345153 * (2 / 18) ** 0.5, abs=1e-6)
    assert precision_n_per_arm(half_width(18) + 1e-9) == 18
    assert precision_n_per_arm(half_width(18) - 1e-9) == 19


def test_a_pilot_says_what_it_tells_and_a_crossover_that_only_its_first_period_counts(tmp_path: Path) -> None:
    pilot = CliRunner().invoke(trial, ["power", "timing-pilot"], catch_exceptions=False).output
    assert "36 patients tell the difference to +-0.68 residual SD (4.2 points)" in " ".join(pilot.split())
    override = '\n[crossover_override]\ndecided_by = "A"\nreason = "B"\nwashout_days = 28.0\n'
    file = written(tmp_path, BASE.replace('layout = "parallel"', 'layout = "crossover"') + override)
    said = " ".join(CliRunner().invoke(trial, ["power", file], catch_exceptions=False).output.split())
    assert "those of the first period" in said


def test_every_fault_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    text = (
        BASE.replace("day = 14.0\n", "day = 5.0\n")
        .replace('"sequential" = -1.0', '"later" = -0.5')
        .replace("n_total = 34", "n_total = 35")
        .replace("alpha = 0.05", "alpha = 5.0")
    )
    faults = faults_of(tmp_path, text)
    lines = text.splitlines()
    fields = {fault.field: fault for fault in faults}
    assert {"endpoint.day", "contrasts[0].weights", "errors.alpha", "size.n_total"} <= set(fields)
    assert lines[fields["size.n_total"].line - 1] == "n_total = 35"
    assert fields["size.n_total"].allowed == "a multiple of 2, at least twice"
    assert sum(fault.field == "contrasts[0].weights" for fault in faults) == 2


def test_wrong_types_and_unknown_keys_are_named_with_their_line(tmp_path: Path) -> None:
    text = BASE.replace("sides = 2", "sides = 3").replace("erp_min = 60.0", 'erp_minutes = "an hour"', 1)
    faults = faults_of(tmp_path, text)
    found = {fault.field: fault for fault in faults}
    assert found["errors.sides"].line == text.splitlines().index("sides = 3") + 1
    assert "erp_minutes" in found["arms[0].erp_minutes"].field
    assert all(fault.where.endswith("mine.toml") for fault in faults)


def test_a_rating_within_a_week_of_a_dose_is_refused_as_endpoint(tmp_path: Path) -> None:
    text = BASE.replace("dose_days = [0.0]", "dose_days = [0.0, 10.0]")
    messages = [str(fault) for fault in faults_of(tmp_path, text)]
    assert any("would rate a week that holds a dose" in message and "day 17" in message for message in messages)


def test_a_crossover_needs_an_explicit_override_and_is_warned_of_even_then(tmp_path: Path) -> None:
    crossover = BASE.replace('layout = "parallel"', 'layout = "crossover"')
    (fault,) = faults_of(tmp_path, crossover)
    assert "no crossover" in fault.message
    assert fault.line == crossover.splitlines().index('layout = "crossover"') + 1
    assert "crossover_override" in fault.ways_out[1]
    override = (
        '\n[crossover_override]\ndecided_by = "A. Lead"\nreason = "infusion-only outcomes"\nwashout_days = 28.0\n'
    )
    said = " ".join(warning.message for warning in warnings(read_design(written(tmp_path, crossover + override))))
    assert "-L/2" in said
    assert "cannot be washed out" in said


@pytest.mark.parametrize("layout", ["smart", "n-of-1", "response-adaptive", "unblinded-reestimation"])
def test_designs_that_come_later_are_named_as_such(tmp_path: Path, layout: str) -> None:
    (fault,) = faults_of(tmp_path, BASE.replace('layout = "parallel"', f'layout = "{layout}"'))
    assert fault.message == f"{layout} designs are not built yet"


def test_unequal_contact_and_too_many_strata_are_warned_of(tmp_path: Path) -> None:
    text = BASE.replace("erp_min = 60.0", "erp_min = 90.0", 1).replace("[1, 2]", "[2, 6]")
    said = " ".join(warning.message for warning in warnings(read_design(written(tmp_path, text))))
    assert "differ in contact time" in said
    assert "more strata than the size can fill" in said


def test_a_response_rule_that_cannot_be_simulated_is_a_fault_of_its_line(tmp_path: Path) -> None:
    text = BASE.replace('"simpson2008.response"', '"mataixcols2016.remission"')
    (fault,) = faults_of(tmp_path, text)
    assert "needs what is not simulated: cgi_s, no_diagnosis" in fault.message
    assert text.splitlines()[fault.line - 1].startswith("response_rules")


def test_an_unknown_design_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(KerpError, match="timing-two-arm"):
        find_design("timing-two-arms")
    with pytest.raises(KerpError, match="no such file"):
        find_design(str(tmp_path / "absent.toml"))
    with pytest.raises(KerpError) as caught:
        read_design(written(tmp_path, 'extends = "timing-three-arm"\n'))
    assert caught.value.faults[0].line == 1


def test_bounds_of_a_bad_interim_plan_are_faults_of_the_file(tmp_path: Path) -> None:
    text = (
        'extends = "timing-two-arm-sequential"\nid = "mine"\n[interim]\nkind = "hsd"\ninformation = [0.6, 0.5, 1.0]\n'
    )
    faults = faults_of(tmp_path, text)
    assert {fault.field for fault in faults} == {"interim.information", "interim.gamma"}


def test_list_and_check_answer_programs_and_people(tmp_path: Path) -> None:
    rows = json.loads(CliRunner().invoke(trial, ["list", "--json"], catch_exceptions=False).output)
    assert [row["id"] for row in rows] == SHIPPED
    assert "timing-2x2" in CliRunner().invoke(trial, ["list"], catch_exceptions=False).output
    checked = answer("check", written(tmp_path, BASE))
    assert checked["ok"] is True
    assert checked["digest"].startswith("sha256:")
    assert "no fault" in CliRunner().invoke(trial, ["check", "four-arm"], catch_exceptions=False).output
    assert answer("show", "repeated-infusions")["design"]["probes"][0]["day"] == 2.0


def test_the_effect_may_be_given_in_points_but_not_twice() -> None:
    points = answer("power", "timing-two-arm", "--effect-points", "6.2353829")
    assert points["effect_sd"] == pytest.approx(1.0, abs=1e-6)
    result = CliRunner().invoke(trial, ["power", "timing-two-arm", "--effect-points", "6", "--effect-sd", "1"])
    assert "twice" in str(result.exception)
    assert "other than 0" in str(CliRunner().invoke(trial, ["power", "timing-two-arm", "--effect-sd", "0"]).exception)


@pytest.mark.parametrize(
    ("drug", "dose", "field", "said"),
    [
        ("ketamine", "", "arms.0.dose", "given without a dose"),
        (
            "ketamine",
            'dose = { value = 35.0, unit = "mg", source = "kerp", mark = "assumed" }',
            "unit",
            "another unit",
        ),
        ("ketamine", 'dose = { value = 5.0, unit = "mg/kg", source = "kerp", mark = "assumed" }', "value", "outside"),
        (
            "esketamine",
            'dose = { value = 86.0, unit = "mg", source = "PAPER P27", mark = "read" }',
            "value",
            "multiple",
        ),
        ("esketamine", 'dose = { value = 40.0, unit = "mg", source = "kerp", mark = "assumed" }', "value", "devices"),
    ],
)
def test_a_dose_that_is_missing_or_cannot_be_given_is_a_fault_of_its_line(
    tmp_path: Path, drug: str, dose: str, field: str, said: str
) -> None:
    text = (DATA / "designs" / "timing-two-arm.toml").read_text()
    stated = 'dose = { value = 0.5, unit = "mg/kg", source = "PAPER P27", mark = "read" }'
    path = tmp_path / "own.toml"
    path.write_text(text.replace('drug = "ketamine"', f'drug = "{drug}"', 1).replace(stated, dose, 1))
    with pytest.raises(KerpError) as caught:
        find_design(str(path))
    (fault,) = caught.value.faults
    assert field in fault.field.replace("[", ".").replace("]", "")
    assert said in fault.message
    assert fault.line
