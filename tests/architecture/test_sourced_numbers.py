"""A number nobody said fails the build (docs/data-files.md)."""

from __future__ import annotations

import pytest

from kerp.base.data import DATA
from kerp.base.tomlfile import parse_toml, read_toml
from kerp.evidence.references import reference_ids
from kerp.evidence.sourcing import unsourced

# references are checked by their own loader: their `mark` is of the bibliographic details
FILES = sorted(path for path in DATA.rglob("*.toml") if path.parent.name != "references")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DATA)))
def test_every_number_in_the_data_says_who_said_it(path):
    faults = unsourced(read_toml(path), reference_ids(), folder=path.relative_to(DATA).parts[0])
    assert not faults, "\n" + "\n".join(str(fault) for fault in faults) + "\nThe rule: docs/data-files.md"


def faults_of(text: str, folder: str = "protocols") -> list[str]:
    document = parse_toml(text, where="planted.toml")
    return [fault.message for fault in unsourced(document, {"rodriguez2013"}, folder=folder)]


def test_a_bare_number_is_found():
    assert faults_of("[dose]\nmg_per_kg = 0.5") == ["nobody said this number"]


def test_a_source_at_the_top_of_the_file_covers_nothing():
    assert faults_of('source = "kerp"\nmark = "assumed"\ndose_mg = 3.0') == ["nobody said this number"]


def test_a_number_inside_a_list_is_found():
    assert faults_of("[schedule]\nat_min = [5, 10]") == ["nobody said this number"] * 2


def test_a_sourced_value_passes():
    assert faults_of('[x]\nv = { value = 0.5, unit = "mg/kg", source = "rodriguez2013", mark = "read" }') == []


def test_a_sourced_table_covers_its_numbers_and_those_below_it():
    text = '[[rule]]\nsource = "PAPER P30"\nmark = "read"\nfrom_min = 30\nto_min = 40\nsteps = [{ at_min = 5 }]'
    assert faults_of(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[x]\nvalue = 1.0\nunit = "mg"', "this value has no source and no mark"),
        ('[x]\nvalue = 1.0\nsource = "rodriguez2013"\nmark = "read"', "this value has no unit"),
        ('[x]\nvalue = 1.0\nunit = "mg"\nsource = "rodriguez2013"', "the mark is None"),
        ('[x]\nvalue = 1.0\nunit = "mg"\nmark = "read"', "there is a mark but no source"),
        (
            '[x]\nvalue = 1.0\nunit = "mg"\nsource = "nobody1999"\nmark = "read"',
            "the source 'nobody1999' is not a reference",
        ),
        (
            '[x]\nvalue = 1.0\nunit = "mg"\nsource = "PAPER P41"\nmark = "read"',
            "the source 'PAPER P41' is not a reference",
        ),
        (
            '[x]\nvalue = 1.0\nunit = "mg"\nsource = "kerp"\nmark = "read"',
            "our own choice is marked as if someone had published it",
        ),
        ('[x]\nthreshold = 3\nsource = "kerp"\nmark = "assumed"', "this number has no unit"),
    ],
)
def test_a_number_with_half_an_origin_is_found(text, message):
    assert faults_of(text) == [message]


def test_the_range_of_an_item_is_structure_in_an_instrument_and_a_claim_in_a_protocol():
    text = '[[items]]\nid = "a"\nmin = 0\nmax = 4'
    assert faults_of(text, folder="instruments") == []
    assert len(faults_of(text, folder="protocols")) == 2


def test_a_truth_value_is_no_number():
    assert faults_of("[x]\nrequired = true") == []
