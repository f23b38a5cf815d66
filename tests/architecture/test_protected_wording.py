"""No wording of a scale that belongs to someone else is in the repository (M18).

The list holds hashes of five-word runs, not the wording. It was made from memory of the scales, so it finds careless
copying of the well-known items; it is no proof that nothing else was copied.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from kerp.instrument.load import instrument_ids, load_instrument
from kerp.instrument.model import Wording

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("protected_wording.txt")
PLACES = ("src", "tests", "docs", "tools", "benchmarks")
SUFFIXES = {
    ".py",
    ".toml",
    ".md",
    ".csv",
    ".json",
    ".jsonl",
    ".txt",
    ".html",
    ".js",
    ".css",
    ".svg",
    ".yaml",
    ".yml",
    ".xml",
}
# our own words, on the list so that the search itself can be tried
SENTINEL = "Seven purple lanterns drift\nabove the QUIET harbour, tonight"


def tool():
    spec = importlib.util.spec_from_file_location("protect_wording", ROOT / "tools" / "protect_wording.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


runs = tool().runs


@cache
def protected() -> dict[str, str]:
    lines = [line.split() for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    return {digest: instrument for instrument, digest in lines}


def findings(text: str) -> list[tuple[int, str]]:
    known = protected()
    return [(text.count("\n", 0, at) + 1, known[digest]) for at, digest in runs(text) if digest in known]


def files() -> list[Path]:
    inside = [path for place in PLACES for path in (ROOT / place).rglob("*") if path.suffix in SUFFIXES]
    here = Path(__file__).resolve()
    return [path for path in [*inside, *ROOT.glob("*.md")] if path.is_file() and path.resolve() != here]


def test_no_protected_wording_is_in_the_repository():
    found = [
        f"{path.relative_to(ROOT)}:{line} wording of {instrument}"
        for path in files()
        for line, instrument in findings(path.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert not found, "labels only; the wording belongs into a text pack of the site:\n" + "\n".join(found)


def test_planted_wording_is_found_whatever_its_case_line_ends_and_punctuation():
    assert [instrument for _, instrument in findings(f"# a comment\n\n{SENTINEL}")] == ["sentinel"] * 5


def test_planted_wording_is_found_with_its_line(tmp_path):
    assert findings("one\ntwo\n" + SENTINEL)[0] == (3, "sentinel")


def test_four_words_are_not_enough_to_be_found():
    assert findings("seven purple lanterns drift") == []


@pytest.mark.parametrize(
    "instrument", ["ybocs", "cadss23", "madrs", "ymrs1", "cssrs_screener", "babs", "oci_r", "docs", "moaas"]
)
def test_the_list_covers_every_scale_whose_wording_is_not_ours(instrument):
    assert Counter(protected().values())[instrument] >= 5


@pytest.mark.parametrize("identifier", instrument_ids())
def test_labels_of_scales_that_are_not_ours_are_short_and_carry_no_question(identifier):
    instrument = load_instrument(identifier)
    if instrument.rights.wording is not Wording.LABELS_ONLY:
        assert all(item.prompt for item in instrument.items), "free wording ships in full"
        return
    for item in instrument.items:
        assert not item.prompt
        assert "?" not in item.label
        assert len(item.label.split()) <= 6
