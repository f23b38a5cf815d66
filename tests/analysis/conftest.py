from __future__ import annotations

import csv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def shared_evidence() -> Path:
    folder = ROOT.parent / "shared" / "evidence"
    if not folder.is_dir():
        pytest.skip("../shared/evidence is not beside the repository; these figures may not be copied into it")
    return folder


@pytest.fixture(scope="session")
def acceptance(shared_evidence: Path) -> dict[str, dict[str, str]]:
    with (shared_evidence / "stat_references.csv").open(encoding="utf-8") as stream:
        return {row["id"]: row for row in csv.DictReader(stream)}


@pytest.fixture(scope="session")
def orthodont() -> Path:
    return ROOT / "tests" / "data" / "orthodont.csv"
