"""docs/traceability.md tells the truth: every claim and every mistake has code and a test that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "traceability.md"
WANTED = [f"P{number}" for number in range(1, 41)] + [f"M{number}" for number in range(1, 24)]


def rows() -> dict[str, str]:
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\| ([PM]\d+) \|", line):
            found[match.group(1)] = line
    return found


@pytest.mark.parametrize("claim", WANTED)
def test_a_claim_names_code_and_a_test_that_exist(claim: str) -> None:
    line = rows().get(claim)
    assert line, f"{claim} has no row in docs/traceability.md"
    paths = re.findall(r"`((?:src|tests|docs)/[^`:]+)(?:::([A-Za-z0-9_]+))?`", line)
    assert paths, f"{claim} names no file"
    for name, test in paths:
        path = ROOT / name
        assert path.exists(), f"{claim}: {name} does not exist"
        if test:
            assert re.search(rf"def {test}\b", path.read_text(encoding="utf-8")), f"{claim}: no {test} in {name}"
    assert any(name.startswith("tests/") and test for name, test in paths) or "context" in line, (
        f"{claim}: name a test, or say that it is context"
    )
