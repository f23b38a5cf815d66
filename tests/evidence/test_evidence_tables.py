"""Evidence tables: typed, every row with its source and mark, the psychotherapy figures whole."""

from __future__ import annotations

import csv
import importlib
from collections import Counter
from pathlib import Path

import pytest

from kerp.base.data import DATA
from kerp.base.errors import KerpError
from kerp.evidence.tables import load_table, parse_table, select, table, tables

EVERY = list(tables())
NOTES = Path(__file__).resolve().parents[3] / "shared" / "evidence"
PSYCHOTHERAPY = load_table("psychotherapy_ybocs")


@pytest.mark.parametrize("identifier", EVERY)
def test_every_table_loads_and_every_row_has_a_source_and_a_mark(identifier):
    rows = load_table(identifier)
    assert rows
    for row in rows:
        assert row["source"]
        assert row["mark"] in {"read", "recalled", "assumed"}


@pytest.mark.parametrize("identifier", EVERY)
def test_every_number_has_a_unit(identifier):
    for column in table(identifier).columns:
        assert column.type in {"text", "int", "real"}
        assert column.unit or column.type == "text", column.name


@pytest.mark.parametrize("identifier", ["psychotherapy_ybocs", "meta_estimates", "registrations", "stat_references"])
def test_a_row_is_called_by_one_name_only(identifier):
    names = [row[table(identifier).key] for row in load_table(identifier)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("identifier", EVERY)
def test_what_a_screen_shows_of_a_table_are_its_own_columns(identifier):
    entry = table(identifier)
    assert set(entry.shown) <= {column.name for column in entry.columns}
    assert len(set(entry.shown)) == len(entry.shown)


def test_the_kinetic_models_that_kerp_runs_stand_in_the_table_with_the_same_values():
    model = {row["parameter"]: row["value"] for row in select(load_table("pk_models"), model="perezruixo2021")}
    text = (DATA / "drug" / "perezruixo2021.toml").read_text(encoding="utf-8")
    assert {"FRn": 0.54, "dose_on_FRn": 0.62, "japanese_on_FRn": 1.34, "ka_n": 2.93}.items() <= model.items()
    assert all(f"value = {value}" in text for value in (0.54, 0.62, 1.34, 2.93))


def test_a_model_that_is_only_known_to_exist_has_no_value():
    (zhao,) = select(load_table("pk_models"), model="zhao2012")
    assert zhao["value"] is None
    assert zhao["mark"] == "recalled"


def test_a_blank_is_unknown_and_never_zero():
    bloch = select(load_table("trials"), study="Bloch 2012")
    assert all(row["mean"] is None for row in bloch)
    assert bloch[1]["responders"] == 0


def test_rows_cannot_be_changed():
    with pytest.raises(TypeError):
        PSYCHOTHERAPY[0]["year"] = 1999


def test_the_first_trial_of_ketamine_in_ocd_is_as_published():
    ketamine, saline = select(load_table("trials"), study="Rodriguez 2013", arm="phase 1")
    assert (ketamine["responders"], ketamine["people"]) == (4, 8)
    assert (saline["responders"], saline["people"]) == (0, 7)
    assert ketamine["response_rule"] == ">=35% Y-BOCS reduction"


def test_there_are_forty_comparisons_from_thirty_two_trials():
    assert len(PSYCHOTHERAPY) == 40
    assert len({row["trial"] for row in PSYCHOTHERAPY}) == 32


def test_without_the_outlier_and_the_adolescents_37_comparisons_of_31_trials_are_left():
    adults = [row for row in PSYCHOTHERAPY if row["age_group"] == "adult" and row["trial"] != "khodarahimi2009"]
    assert len(adults) == 37
    assert len({row["trial"] for row in adults}) == 31


def test_comparisons_that_share_a_control_share_its_figures():
    groups = Counter(row["control_group"] for row in PSYCHOTHERAPY)
    shared = {name for name, count in groups.items() if count > 1}
    assert shared == {
        "anderson2007-c1", "greist2002-c1", "khodarahimi2009-c1", "launes2019-c1", "vanbalkom1998-c1", "vogel2014-c1",
        "wootton2013-c1",
    }  # fmt: skip
    for name in shared:
        rows = [row for row in PSYCHOTHERAPY if row["control_group"] == name]
        assert (
            len({(row["control_mean_after"], row["control_sd_after"], row["control_n_after"]) for row in rows}) == 1
        )


def test_two_strata_of_one_trial_have_their_own_controls():
    rows = [row for row in PSYCHOTHERAPY if row["trial"] == "russmanblock2023"]
    assert len({row["control_group"] for row in rows}) == 2


def test_the_published_effect_of_foa_2005_follows_from_its_means():
    (row,) = (row for row in PSYCHOTHERAPY if row["trial"] == "foa2005")
    n1, n2 = row["treatment_n_after"], row["control_n_after"]
    pooled = ((n1 - 1) * row["treatment_sd_after"] ** 2 + (n2 - 1) * row["control_sd_after"] ** 2) / (n1 + n2 - 2)
    d = (row["control_mean_after"] - row["treatment_mean_after"]) / pooled**0.5
    assert d * (1 - 3 / (4 * (n1 + n2 - 2) - 1)) == pytest.approx(row["hedges_g"], abs=2e-4)


def test_the_attribution_of_metapsy_travels_with_its_figures():
    assert "Open Data Commons Attribution" in table("psychotherapy_ybocs").attribution
    assert "10.5281/zenodo.10471942" in table("psychotherapy_ybocs").attribution


@pytest.mark.validate
@pytest.mark.skipif(not (NOTES / "metapsy_ybocs.csv").exists(), reason=f"{NOTES} is not here: figures not compared")
def test_the_psychotherapy_figures_are_those_of_metapsy():
    with (NOTES / "metapsy_ybocs.csv").open(encoding="utf-8", newline="") as stream:
        original = list(csv.DictReader(stream))
    pairs = {
        "treatment_mean_after": "mean_arm1", "treatment_sd_after": "sd_arm1", "treatment_n_after": "n_arm1",
        "control_mean_after": "mean_arm2", "control_sd_after": "sd_arm2", "control_n_after": "n_arm2",
        "treatment_mean_before": "baseline_mean_arm1", "control_mean_before": "baseline_mean_arm2",
        "treatment_sd_before": "baseline_sd_arm1", "control_sd_before": "baseline_sd_arm2",
        "treatment_n_before": "baseline_n_arm1", "control_n_before": "baseline_n_arm2",
        "hedges_g": ".g", "hedges_g_se": ".g_se", "weeks": "time_weeks", "risk_of_bias": "ROB",
    }  # fmt: skip
    assert len(original) == len(PSYCHOTHERAPY)
    for ours, theirs in zip(PSYCHOTHERAPY, original, strict=True):
        assert ours["study"].replace(" ", "") == theirs["study"].replace(",", "").replace(" ", "")
        for here, there in pairs.items():
            assert ours[here] == (float(theirs[there]) if theirs[there] else None), (ours["comparison"], here)


@pytest.mark.validate
@pytest.mark.skipif(not NOTES.exists(), reason=f"{NOTES} is not here: tables not rebuilt")
def test_the_tables_are_what_the_build_script_makes_of_the_notes(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "tools")
    tool = importlib.import_module("build_evidence")
    shipped = tool.OUT
    monkeypatch.setattr(tool, "OUT", tmp_path)
    tool.main(NOTES)
    for file in tmp_path.glob("*.csv"):
        assert file.read_text() == (shipped / file.name).read_text(), file.name
    assert len(capsys.readouterr().out.splitlines()) == len(EVERY)


def header(identifier):
    return ",".join(column.name for column in table(identifier).columns)


def cells(**known):
    return ",".join(known.get(column.name, "") for column in table("registrations").columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "columns are not those"),
        (f"{header('registrations')}\n{cells(planned_people='ten', source='foa2005', mark='read')}\n", "'ten'"),
        (f"{header('registrations')}\n{cells(source='nobody', mark='read')}\n", "nobody"),
        (f"{header('registrations')}\n{cells(source='foa2005', mark='sure')}\n", "'sure'"),
        (f"{header('registrations')}\n{cells(source='foa2005')}\n", "mark"),
    ],
)
def test_a_row_without_type_source_or_mark_is_refused_with_its_line(text, message):
    with pytest.raises(KerpError, match=message):
        parse_table(table("registrations"), text, where="x.csv")


def test_an_infinite_number_is_refused():
    names = [column.name for column in table("meta_estimates").columns]
    row = ",".join({"estimate": "inf", "source": "foa2005", "mark": "read"}.get(name, "") for name in names)
    with pytest.raises(KerpError, match="inf"):
        parse_table(table("meta_estimates"), f"{','.join(names)}\n{row}\n", where="x.csv")
