"""`kerp evidence`."""

from __future__ import annotations

import json

import pytest

from kerp.cli.main import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["evidence", *arguments])
    out = capsys.readouterr()
    return ended.value.code, out.out, out.err


def test_tables_and_references_are_listed(capsys):
    listed = json.loads(run(capsys, "list", "--json")[1])
    assert {"trials", "psychotherapy_ybocs", "pk_observations"} <= {row["id"] for row in listed}
    found = json.loads(run(capsys, "list", "references", "--topic", "erp", "--find", "foa", "--json")[1])
    assert "foa2005" in {row["id"] for row in found}
    assert {row["topic"] for row in found} == {"erp"}


def test_a_table_is_filtered_by_rows_and_columns(capsys):
    code, out, _ = run(
        capsys, "show", "psychotherapy_ybocs", "--where", "trial=foa2005", "--columns", "study,hedges_g", "--json"
    )
    found = json.loads(out)
    assert code == 0
    assert found["rows"] == [{"study": "Foa 2005", "hedges_g": 1.5237}]
    assert "ODC" in found["attribution"] or "Open Data Commons" in found["attribution"]


def test_a_table_on_a_terminal_ends_with_its_attribution(capsys):
    assert "Open Data Commons" in run(capsys, "show", "psychotherapy_ybocs")[1]


def test_a_reference_is_shown_with_its_note(capsys):
    assert "title" in json.loads(run(capsys, "show", "rodriguez2011", "--json")[1])
    assert "prints 2017" in run(capsys, "show", "rodriguez2011")[1]


def test_references_are_cited_as_text_and_bibtex(capsys):
    assert "Neuropsychopharmacology 2013;38(12)" in run(capsys, "cite", "rodriguez2013")[1]
    out = run(capsys, "cite", "rodriguez2013,foa2005", "--style", "bibtex")[1]
    assert out.count("@article{") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "trails"], "did you mean trials"),
        (["show", "trials", "--where", "colour=red"], "no column called 'colour'"),
        (["show", "trials", "--where", "red"], "COLUMN=TEXT"),
        (["show", "trials", "--columns", "stdy"], "did you mean"),
        (["cite", "nobody1999"], "no reference"),
        (["cite", ","], "no reference is named"),
        (["list", "references", "--topic", "cooking"], "no topic"),
    ],
)
def test_bad_input_ends_with_code_2_and_a_way_out(capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("command", [[], ["list"], ["show"], ["cite"]])
def test_every_help_has_an_example(capsys, command):
    assert "Example: kerp evidence" in run(capsys, *command, "--help")[1]
