"""`kerp protocol` and `kerp dose` as people and programs call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kerp.cli.main import main
from kerp.protocol.load import load_protocol


@pytest.fixture
def kerp(capsys):
    def run(*arguments: str):
        with pytest.raises(SystemExit) as stopped:
            main(list(arguments))
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err

    return run


def test_list_names_the_shipped_protocols(kerp):
    code, out, _ = kerp("protocol", "list", "--json")
    assert code == 0
    assert {item["id"]: item["digest"] for item in json.loads(out)}["bottemanne2021-iv"].startswith("sha256:")
    assert "rodriguez2016-sequential" in kerp("protocol", "list")[1]


def test_show_says_what_a_rule_is_and_where_it_came_from(kerp):
    code, out, _ = kerp("protocol", "show", "bottemanne2021-nasal", "--field", "rules.bp_stop.thresholds")
    assert code == 0
    assert "rules.bp_stop.thresholds.sbp_mmhg = 180 mmHg [spravatolabel, read]" in out
    assert "shipped base, bottemanne2021-iv.toml:" in out
    assert "a person decides" in kerp("protocol", "show", "bottemanne2021-iv")[1]


def test_show_json_carries_protocol_digests_and_origins(kerp):
    _, out, _ = kerp("protocol", "show", "bottemanne2021-iv", "--json")
    shown = json.loads(out)
    assert shown["protocol"]["dose"]["dose_mg_per_kg"]["value"] == 0.5
    assert shown["digests"]["resolved"] == load_protocol("bottemanne2021-iv").digests.resolved
    assert shown["origins"]["dose.duration_min"]["line"] > 1


def test_show_of_a_field_that_is_not_there_offers_the_nearest(kerp):
    code, _, err = kerp("protocol", "show", "bottemanne2021-iv", "--field", "rules.bp_stp")
    assert code == 2
    assert "rules.bp_stop" in err


def test_check_passes_a_shipped_protocol_and_fails_a_bad_variant_with_every_fault(kerp, tmp_path):
    assert kerp("protocol", "check", "bottemanne2021-iv")[0] == 0
    path = tmp_path / "site.toml"
    path.write_text(
        'inherits = "bottemanne2021-iv"\nid = "site"\n[[visits]]\nid = "day1_call"\nmandatory = false\n'
        '[[preconditions]]\nid = "hcg"\nevery_dose = false\n'
    )
    code, out, _ = kerp("protocol", "check", str(path), "--json")
    assert code == 2
    found = json.loads(out)
    assert not found["ok"]
    assert [fault["field"] for fault in found["faults"] if fault["where"] == str(path)] == [
        "preconditions.hcg.every_dose"
    ]
    assert any("M13" in fault["message"] for fault in found["faults"])
    code, out, _ = kerp("protocol", "check", str(path))
    assert code == 2
    assert f"{path}:8 preconditions.hcg.every_dose" in out


@pytest.mark.parametrize("content", [b"", b"\xff", b"x = [", b"[dose]\nduration_min = -3"])
def test_check_of_a_broken_file_names_it(kerp, tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    code, out, _ = kerp("protocol", "check", str(path))
    assert code == 2
    assert str(path) in out


def test_diff_lists_what_differs_and_nothing_else(kerp):
    _, out, _ = kerp("protocol", "diff", "bottemanne2021-iv", "midazolam-erp", "--json")
    fields = {row["field"] for row in json.loads(out)}
    assert {"dose.agent", "dose.dose_mg_per_kg", "dose.blinding", "blinded"} <= fields
    assert not any(field.startswith("rules.") for field in fields)
    assert "no difference" in kerp("protocol", "diff", "erp-alone", "erp-alone")[1]


def test_digest_prints_the_digest_of_the_resolved_protocol(kerp):
    _, out, _ = kerp("protocol", "digest", "bottemanne2021-iv")
    assert out.strip() == load_protocol("bottemanne2021-iv").digests.resolved


def test_schema_prints_the_schema(kerp):
    assert json.loads(kerp("protocol", "schema")[1])["$id"] == "protocol.schema.json"


def test_dose_json_has_exactly_the_published_keys(kerp):
    code, out, _ = kerp("dose", "--protocol", "bottemanne2021-iv", "--weight-kg", "70", "--json")
    assert code == 0
    assert json.loads(out) == {
        "dose_mg": 35.0,
        "volume_ml": 35.0,
        "rate_ml_per_h": 52.5,
        "duration_min": 40.0,
        "devices": [],
        "warnings": [],
    }


def test_dose_of_devices_lists_them_with_their_minutes(kerp):
    arguments = ("dose", "--protocol", "bottemanne2021-nasal", "--devices", "2", "--device-gap-min", "3", "--json")
    got = json.loads(kerp(*arguments)[1])
    assert [device["at_min"] for device in got["devices"]] == [0, 3]
    assert got["volume_ml"] is None
    assert "less than 5 min apart" in got["warnings"][0]


def test_the_example_of_the_manual_is_what_the_command_prints(kerp):
    page = (Path(__file__).parents[2] / "docs" / "dose.md").read_text()
    command, _, printed = page.split("```console\n$ kerp ")[1].split("```")[0].partition("\n")
    assert kerp(*command.split())[1].splitlines() == printed.splitlines()


def test_dose_in_words_gives_the_pump_setting_and_says_who_decides(kerp):
    _, out, _ = kerp("dose", "--protocol", "bottemanne2021-iv", "--weight-kg", "72.5")
    assert "54.3 mL/h" in out
    assert "0.905 mg/min" in out
    assert "prescriber signs" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--protocol", "bottemanne2021-iv", "--weight-kg", "72,5"), "point, not a comma"),
        (("--protocol", "bottemanne2021-iv", "--weight-kg", "70kg"), "without its unit"),
        (("--protocol", "bottemanne2021-iv", "--weight-kg", "nan"), "not a number"),
        (("--protocol", "bottemanne2021-iv", "--weight-kg", "7_0"), "not a number"),
        (("--protocol", "bottemanne2021-iv", "--weight-kg", "\N{FULLWIDTH DIGIT SEVEN}0"), "not a number"),
        (("--protocol", "bottemanne2021-iv", "--weight-kg", "1e400"), "above zero, at most"),
        (("--protocol", "bottemanne2021-iv", "--weight-kg", "150"), "refused, not reduced"),
        (("--protocol", "bottemanne2021-iv", "--weight-kg", "20"), "30 to 200 kg"),
        (("--protocol", "bottemanne2021-iv"), "weigh the participant"),
        (("--protocol", "bottemanne2021-nasal", "--dose-mg", "86"), "no multiple of 14"),
        (("--protocol", "erp-alone", "--weight-kg", "70"), "no drug"),
        (("--protocol", "nobody2020", "--weight-kg", "70"), "no protocol called"),
    ],
)
def test_a_bad_dose_request_ends_with_exit_code_2_and_the_way_out(kerp, arguments, words):
    code, out, err = kerp("dose", *arguments)
    assert code == 2
    assert out == ""
    assert words in err
