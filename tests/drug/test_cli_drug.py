"""`kerp drug` as a user or a program types it."""

import csv
import io
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

IV = ["drug", "simulate", "--model", "kamp2020", "--dose-mg", "35", "--duration-min", "40", "--weight-kg", "70"]
NASAL = ["drug", "simulate", "--model", "perezruixo2021"]


def run(capsys, *arguments):
    from kerp.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    out = capsys.readouterr()
    return ended.value.code, out.out, out.err


def answer(capsys, *arguments):
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 0
    return json.loads(out)


def test_the_documented_infusion_gives_concentrations_with_their_site(capsys):
    found = answer(capsys, *IV, "--at", "10,20,40")
    assert found["model"] == "kamp2020"
    assert found["sampling_site"] == "arterial plasma"
    assert found["times_min"] == [10, 20, 40]
    assert found["concentration_ng_per_ml"] == pytest.approx([155, 198, 253], abs=0.6)
    assert any("not fitted" in caveat for caveat in found["caveats"])


def test_the_documented_nasal_session_gives_the_published_summary(capsys, published):
    found = answer(
        capsys,
        *NASAL,
        "--devices",
        "3",
        "--device-gap-min",
        "5",
        "--age",
        "40",
        "--ancestry",
        "japanese",
        "--summary",
    )
    cmax, auc, _ = published.PEREZRUIXO_TABLE_4[("japanese", 45, 84)]
    assert found["cmax_ng_per_ml"] == pytest.approx(cmax, rel=0.01)
    assert found["auc_0_24h_ng_h_per_ml"] == pytest.approx(auc, rel=0.01)
    assert 30 <= found["tmax_min"] <= 50


def test_dose_and_devices_are_two_ways_to_say_the_same(capsys):
    by_dose = answer(capsys, *NASAL, "--dose-mg", "56", "--at", "40")
    by_devices = answer(capsys, *NASAL, "--devices", "2", "--at", "40")
    assert by_dose["concentration_ng_per_ml"] == by_devices["concentration_ng_per_ml"]


def test_a_pause_and_a_stop_show_in_what_was_given(capsys):
    found = answer(capsys, *IV, "--pause", "10:15", "--stop-at", "25", "--at", "25")
    assert found["dose_mg"] == pytest.approx(35 * 20 / 40)
    assert [(s["from_min"], s["to_min"]) for s in found["doses"]["segments"]] == [(0, 10), (15, 25)]


def test_a_population_has_ordered_bands_that_do_not_change_with_its_call(capsys):
    first = answer(capsys, *IV, "--population", "400", "--seed", "3", "--at", "20,40")
    again = answer(capsys, *IV, "--population", "400", "--seed", "3", "--at", "20,40")
    bands = first["population"]["concentration_ng_per_ml"]
    assert bands == again["population"]["concentration_ng_per_ml"]
    for low, middle, high in zip(bands["p5"], bands["p50"], bands["p95"], strict=True):
        assert low < middle < high


def test_csv_is_a_table_another_program_can_read(capsys):
    code, out, _ = run(capsys, *IV, "--at", "10,40", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [float(row["time_min"]) for row in rows] == [10, 40]
    assert rows[0]["sampling_site"] == "arterial plasma"


def test_the_terminal_table_says_the_caveats(capsys):
    _, out, _ = run(capsys, *IV, "--at", "10,40", "--summary")
    assert "arterial plasma" in out
    assert "not fitted" in " ".join(out.split())
    assert "cmax_ng_per_ml" in out


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_picture_is_the_same_each_time_and_prints_its_caveats(ending, capsys, tmp_path):
    file, again = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    for path in (file, again):
        assert run(capsys, *IV, "--population", "50", "--plot", str(path))[0] == 0
    assert file.read_bytes() == again.read_bytes()
    if ending == "svg":
        ElementTree.fromstring(file.read_text())
        assert "not fitted to data" in file.read_text()


def test_models_are_listed_with_site_and_caveats(capsys):
    found = answer(capsys, "drug", "models")
    assert {model["model"] for model in found} >= {"kamp2020", "otto2021", "simons2022", "perezruixo2021"}
    for model in found:
        assert model["sampling_site"]
        assert model["caveats"]
        for value in model["parameters"].values():
            assert value["source"]
            assert value["mark"] in {"read", "recalled", "assumed"}
    assert "kamp2020" in run(capsys, "drug", "models")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*NASAL, "--dose-mg", "86"], "no multiple of 14"),
        ([*NASAL, "--devices", "4"], "28, 56, 84 mg"),
        ([*NASAL, "--devices", "0"], "above zero"),
        ([*NASAL, "--devices", "2", "--dose-mg", "84"], "disagree"),
        ([*NASAL], "how much is given"),
        ([*NASAL, "--devices", "2", "--ancestry", "martian"], "caucasian"),
        ([*NASAL, "--devices", "2", "--device-gap-min", "-5"], "gap_min"),
        ([*IV, "--duration-min", "-40"], "duration_min"),
        ([*IV, "--duration-min", "nan"], "duration_min"),
        ([*IV, "--dose-mg", "inf"], "dose_mg"),
        ([*IV, "--dose-mg", "1e300"], "dose_mg"),
        ([*IV, "--devices", "2"], "no --devices"),
        ([*IV, "--weight-kg", "700"], "weight_kg"),
        ([*IV, "--weight-kg", "nan"], "weight_kg"),
        ([*IV, "--age", "-1"], "age_years"),
        ([*IV, "--at", "10,5"], "must increase"),
        ([*IV, "--at", "10,ten"], "not a number"),
        ([*IV, "--at", "-5"], "count from 0"),
        ([*IV, "--at", ""], "not a number"),
        ([*IV, "--pause", "15"], "not a number"),
        ([*IV, "--pause", "20:10"], "until_min"),
        ([*IV, "--stop-at", "nan"], "count from 0"),
        ([*IV, "--population", "-3"], "population"),
        ([*IV, "--population", "3", "--seed", "-3"], "seed"),
        ([*IV, "--analyte", "norketamin"], "analyte"),
        ([*IV, "--link", "emax_tolerance"], "did you mean emax_no_tolerance"),
        ([*IV, "--json", "--csv"], "choose one"),
        ([*IV, "--plot", "picture.bmp"], "svg, png, pdf"),
        (["drug", "simulate", "--model", "kamp2021", "--dose-mg", "35"], "did you mean kamp2020"),
        (["drug", "simulate", "--model", "kamp2020", "--dose-mg", "35"], "--duration-min"),
    ],
)
def test_bad_input_is_refused_with_a_way_out_and_prints_nothing_else(arguments, said, capsys):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_unusual_but_possible_doses_are_computed_with_a_warning(capsys):
    found = answer(capsys, *NASAL, "--devices", "2", "--device-gap-min", "2", "--at", "40")
    assert "less than 5 min apart" in found["warnings"][0]["message"]
    heavy = answer(capsys, *IV[:-2], "--weight-kg", "25", "--at", "40")
    assert heavy["warnings"][0]["field"] == "dose"
    assert answer(capsys, *IV, "--at", "40")["warnings"] == []


def test_help_answers_without_loading_the_kinetics():
    code = "import sys; import kerp.cli.drug; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("command", ["models", "simulate", "forecast"])
def test_help_shows_each_example_on_its_own_line(command, capsys):
    _, out, _ = run(capsys, "drug", command, "--help")
    assert any(line.strip().startswith("Example: kerp drug") for line in out.splitlines())
    assert "\\b" not in out
