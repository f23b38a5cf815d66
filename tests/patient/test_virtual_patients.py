"""Who is drawn, that batches do not matter, and that a bad file is refused cell by cell."""

import numpy as np
import pytest

from kerp.base.errors import KerpError
from kerp.drug.effect import load_link
from kerp.learning.priors import priors
from kerp.patient.draw import BLOCK, draw, reference_person
from kerp.patient.file import as_csv, read_population
from kerp.patient.pool import pool
from kerp.patient.record import of_patients
from kerp.patient.response import dose_mg, drug_inputs
from kerp.protocol.schedule import load_schedule


@pytest.fixture(scope="module")
def drawn():
    return draw(4000, 11)


def test_a_screened_population_has_the_baseline_of_published_trials(drawn):
    baseline = drawn.traits["baseline_ybocs"]
    assert baseline.min() >= 16
    assert baseline.mean() == pytest.approx(25, abs=0.7)
    assert baseline.std() == pytest.approx(5, abs=0.6)


def test_themes_come_in_their_stated_shares_and_taboo_themes_have_few_overt_rituals(drawn):
    themes = drawn.traits["theme"]
    for theme in pool().themes:
        assert (themes == theme.id).mean() == pytest.approx(theme.share, abs=0.04)
        assert drawn.parameters["m"][themes == theme.id].mean() == pytest.approx(theme.m_mean, abs=0.02)


@pytest.mark.parametrize("count", [1, 17, BLOCK, BLOCK + 5])
def test_a_person_is_the_same_however_many_are_drawn(count, drawn):
    few = draw(count, 11)
    for name, column in few.columns().items():
        assert np.array_equal(column, drawn.columns()[name][:count]), name


def test_another_seed_gives_other_people_and_a_fixed_parameter_leaves_the_rest_alone(drawn):
    assert not np.array_equal(draw(50, 12).parameters["V0"], drawn.parameters["V0"][:50])
    held = draw(50, 11, {"kappa_a": 0.8})
    assert np.all(held.parameters["kappa_a"] == 0.8)
    assert np.array_equal(held.parameters["V0"], drawn.parameters["V0"][:50])


def test_a_patient_is_a_plain_record_that_makes_the_same_table(drawn):
    records = [drawn.patient(row) for row in range(3)]
    again = of_patients(records)
    for name, column in again.columns().items():
        assert np.array_equal(column, drawn.columns()[name][:3])


def test_a_patient_file_is_read_back_exactly(tmp_path, drawn):
    path = tmp_path / "people.csv"
    path.write_text(as_csv(drawn.rows(slice(0, 20))))
    again = read_population(path)
    for name, column in again.columns().items():
        assert np.array_equal(column, drawn.columns()[name][:20]), name


def test_nan_in_a_patient_file_is_named_by_row_and_column(tmp_path, drawn):
    lines = as_csv(drawn.rows(slice(0, 5))).splitlines()
    header = lines[0].split(",")
    cells = lines[3].split(",")
    cells[header.index("psi")] = "nan"
    cells[header.index("eta0")] = "9"
    lines[3] = ",".join(cells)
    path = tmp_path / "people.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(KerpError) as caught:
        read_population(path)
    assert {fault.field for fault in caught.value.faults} == {"row 3, column psi", "row 3, column eta0"}
    assert all(fault.line == 4 for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("theme", "nan"), ("sex", ""), ("ancestry", "martian"), ("number", "1.5"), ("drug_seed", "x"),
        ("weight_kg", "-70"), ("age_years", "400"), ("avoidance", "1.2"), ("scale_use", "0"), ("V0", "1"),
    ],
)  # fmt: skip
def test_a_cell_that_nobody_can_have_is_named_by_row_and_column(tmp_path, drawn, column, cell):
    lines = [line.split(",") for line in as_csv(drawn.rows(slice(0, 3))).splitlines()]
    lines[2][lines[0].index(column)] = cell
    path = tmp_path / "people.csv"
    path.write_text("\n".join(",".join(line) for line in lines))
    with pytest.raises(KerpError) as caught:
        read_population(path)
    assert [(fault.line, fault.field) for fault in caught.value.faults] == [(3, f"row 2, column {column}")]
    assert caught.value.faults[0].allowed


def test_a_constant_is_one_number_for_everyone_and_adherence_a_trait(tmp_path, drawn):
    path = tmp_path / "people.csv"
    lines = as_csv(drawn.rows(slice(0, 3))).splitlines()
    path.write_text("\n".join(f"{line},{cell}" for line, cell in zip(lines, ("EC50", 90, 90, 100), strict=True)))
    with pytest.raises(KerpError, match="one number for everyone") as caught:
        read_population(path)
    assert "row 3, column EC50" in str(caught.value)
    path.write_text("\n".join(f"{line},{cell}" for line, cell in zip(lines, ("EC50", 90, 90, 90), strict=True)))
    assert read_population(path).parameters["EC50"].tolist() == [90, 90, 90]
    path.write_text("\n".join(f"{line},{cell}" for line, cell in zip(lines, ("r", 1, 1, 1), strict=True)))
    with pytest.raises(KerpError, match="adherence_logit"):
        read_population(path)


@pytest.mark.parametrize("first", [",many", ""])
def test_a_first_row_that_cannot_be_read_is_named_and_compared_with_nobody(tmp_path, drawn, first):
    path = tmp_path / "people.csv"
    lines = as_csv(drawn.rows(slice(0, 2))).splitlines()
    path.write_text("\n".join(line + cell for line, cell in zip(lines, (",EC50", first, ",90"), strict=True)))
    with pytest.raises(KerpError) as caught:
        read_population(path)
    assert [fault.line for fault in caught.value.faults] == [2]


def test_a_patient_file_without_a_parameter_is_refused_not_filled_in(tmp_path, drawn):
    lines = [line.split(",") for line in as_csv(drawn.rows(slice(0, 3))).splitlines()]
    place = lines[0].index("kappa_c")
    path = tmp_path / "people.csv"
    path.write_text("\n".join(",".join(line[:place] + line[place + 1 :]) for line in lines))
    with pytest.raises(KerpError, match="kappa_c: this column is missing"):
        read_population(path)


@pytest.mark.parametrize("count", [0, -3, 10**12])
def test_a_negative_or_huge_number_of_people_is_refused(count):
    with pytest.raises(KerpError, match="out of range"):
        draw(count, 1)


def test_parameters_that_nobody_could_be_screened_with_are_said_to_be_so(monkeypatch):
    monkeypatch.setattr("kerp.patient.draw._ROUNDS", 3)
    with pytest.raises(KerpError, match="entry score"):
        draw(10, 1, {"V0": 0.05, "n0": 0.05})


def test_the_drug_reaches_the_reference_person_as_the_drug_room_says():
    minutes = np.array([20.0, 40.0, 60.0, 240.0])
    inputs = drug_inputs(reference_person(), load_schedule("ketamine-alone"), minutes / 1440)
    assert inputs.concentration_ng_per_ml[:, 0] == pytest.approx([198, 253, 96, 26], rel=0.02)  # pkpd.md, Kamp
    assert inputs.E[1, 0] == pytest.approx(253 / 353, rel=0.01)
    assert inputs.F[1, 0] > 0.7 > 0.2 > inputs.F[2, 0]
    assert 0 < inputs.P[0, 0] < inputs.P[3, 0] < 1


def test_learning_outlasts_what_is_felt():
    at = drug_inputs(reference_person(), load_schedule("ketamine-alone"), np.array([120.0]) / 1440)
    assert at.E[0, 0] > 0.3
    assert at.F[0, 0] < 0.05


def test_a_dose_per_kilogram_gives_heavier_people_more_milligrams(drawn):
    dose = load_schedule("concurrent").doses[0]
    assert dose_mg(dose, drawn) == pytest.approx(0.5 * drawn.traits["weight_kg"])


def test_half_a_dose_gives_half_the_concentration_after_a_stop_and_half_the_plasticity():
    who, schedule = reference_person(), load_schedule("ketamine-alone")
    days = np.array([10.0, 39.0, 60.0]) / 1440
    whole = drug_inputs(who, schedule, days)
    part = drug_inputs(who, schedule, days, given=np.array([[0.5]]))
    none = drug_inputs(who, schedule, days, given=np.array([[0.0]]))
    assert part.concentration_ng_per_ml[0] == pytest.approx(whole.concentration_ng_per_ml[0])
    assert part.concentration_ng_per_ml[1] < 0.6 * whole.concentration_ng_per_ml[1]
    assert np.allclose(part.P, 0.5 * whole.P)
    assert not none.E.any()
    assert not none.P.any()


def test_midazolam_and_saline_are_inert_in_this_model():
    for arm in ("placebo", "midazolam"):
        inputs = drug_inputs(reference_person(), load_schedule(arm), np.array([0.02, 1.0]))
        assert not inputs.E.any()
        assert not inputs.P.any()


def test_repeated_doses_never_push_an_effect_above_one():
    inputs = drug_inputs(draw(30, 4), load_schedule("nasal-repeated"), np.linspace(-1, 30, 400))
    for name in ("E", "F", "P"):
        values = getattr(inputs, name)
        assert 0 <= values.min()
        assert values.max() <= 1


def test_the_half_effect_concentration_of_learning_is_one_number_in_both_rooms():
    assert priors()["EC50"].typical.value == load_link("learning_drive", "learning_drive")["ec50"]
