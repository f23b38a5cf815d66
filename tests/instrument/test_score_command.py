"""`kerp score`."""

from __future__ import annotations

import json

import pytest

from kerp.cli.main import main
from kerp.instrument.load import load_instrument

YBOCS = [item.id for item in load_instrument("ybocs").items]


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    out = capsys.readouterr()
    return ended.value.code, out.out, out.err


def file(folder, content, name="answers.json"):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def test_a_score_comes_as_json(tmp_path, capsys):
    answers = file(tmp_path, dict.fromkeys(YBOCS, 2))
    code, out, _ = run(capsys, "score", "ybocs", "--answers", answers, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["total"], found["band"]["id"], found["missing"]) == (20, "moderate", [])


def test_a_null_is_missing_and_the_total_is_withheld(tmp_path, capsys):
    answers = file(tmp_path, dict.fromkeys(YBOCS, 2) | {"obsession_time": None})
    code, out, _ = run(capsys, "score", "ybocs", "--answers", answers)
    assert code == 0
    assert "withheld; between 18 and 22" in out


def test_toml_answers_that_name_their_instrument_are_read(tmp_path, capsys):
    answers = file(tmp_path, 'instrument = "suds"\n[answers]\nsuds = 65\n', "a.toml")
    assert json.loads(run(capsys, "score", "suds", "--answers", answers, "--json")[1])["total"] == 65


def test_a_baseline_adds_every_outcome_with_its_definition(tmp_path, capsys):
    before, after = (file(tmp_path, dict.fromkeys(YBOCS, value), f"{value}.json") for value in (3, 1))
    arguments = ["score", "ybocs", "--answers", after, "--baseline", before, "--cgi-i", "2", "--held-days", "7"]
    _, out, _ = run(capsys, *arguments)
    assert out.index("mataixcols2016, full response: MET") < out.index("simpson2008")
    assert "Y-BOCS at least 35 % below baseline and CGI-I 1 or 2" in out
    outcomes = json.loads(run(capsys, *arguments, "--json")[1])["outcomes"]
    assert outcomes[0]["met"] is True
    remission = next(entry for entry in outcomes if entry["criterion"] == "remission")
    assert (remission["met"], "CGI-S" in remission["unknown"]) == (None, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"obsession_time": 9}', "0 to 4"),
        ('{"obsession_time": "2"}', "an answer is a number"),
        ('{"obsession_time": true}', "an answer is a number"),
        ('{"obsession_time": NaN}', "not a number"),
        ('{"obsession_time": 1, "obsession_time": 2}', "twice"),
        ('{"obsession_time": 1,', "not valid JSON"),
        ('{"obsession_time": ' + "9" * 5000 + "}", "far too long"),
        ('{"obsession_time": 1e308}', "0 to 4"),
        ('{"obsession_time": ' + "9" * 400 + "}", "0 to 4"),
        ("[1, 2]", "a table of items"),
        ("", "empty"),
        ('{"mood": 1}', "no such item"),
        ('{"instrument": "ybocs2", "answers": {}}', "another instrument"),
    ],
)
def test_bad_answers_end_with_code_2_and_say_what_is_allowed(tmp_path, capsys, content, message):
    code, out, err = run(capsys, "score", "ybocs", "--answers", file(tmp_path, content))
    assert (code, out) == (2, "")
    assert message in err


def test_a_file_that_is_not_there_and_a_directory_are_named(tmp_path, capsys):
    assert "no such file" in run(capsys, "score", "ybocs", "--answers", str(tmp_path / "none.json"))[2]
    assert "directory" in run(capsys, "score", "ybocs", "--answers", str(tmp_path))[2]


def test_outcome_rules_are_not_applied_to_other_instruments(tmp_path, capsys):
    answers = file(tmp_path, {"suds": 3})
    code, _, err = run(capsys, "score", "suds", "--answers", answers, "--baseline", answers)
    assert code == 2
    assert "no outcome rules" in err
