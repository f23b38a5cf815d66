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


@pytest.fixture
def write_trial(tmp_path: Path):
    """Writes the tables of an invented two-arm trial, with an allocation, and gives the folder back."""

    def write(**changes) -> Path:
        return _write_trial(tmp_path / "tables", **changes)

    return write


def _write_trial(
    folder: Path, per_arm: int = 16, effect: float = 4.0, leave: float = 0.06, guess: bool = True
) -> Path:
    import numpy as np

    from kerp.analysis.tables import SCHEMA

    rng = np.random.default_rng(11)
    rows: dict[str, list[dict]] = {name: [] for name in SCHEMA}
    arms = []
    for i in range(2 * per_arm):
        who, late = f"K{i:03d}", i % 2
        arms.append({"participant": who, "arm": ("concurrent", "sequential")[late]})
        person = rng.normal(0, 4)
        gone = rng.uniform(size=5) < leave
        rows["participants"].append(
            {
                "participant": who,
                "site": f"site{i % 3}",
                "theme": "contamination",
                "weight_kg": 70 + i,
                "withdrawn": gone.any(),
            }
        )
        rows["sessions"].append(
            {
                "participant": who,
                "session": "S1",
                "study_day": 0,
                "drug_given": True,
                "exposure_given": True,
                "contact_min": 60,
            }
        )
        for k, (day, fall) in enumerate(((-7, 0), (7, 6), (14, 8), (28, 9), (42, 9))):
            if gone[1 : k + 1].any():
                continue
            value = np.clip(26 + person - fall - (effect * (late == 0) if fall else 0) + rng.normal(0, 2), 0, 40)
            score = {
                "participant": who,
                "study_day": day,
                "version": "1",
                "subscale": "total",
                "valid_for_analysis": True,
            }
            rows["scores"].append(score | {"instrument": "ybocs", "value": round(float(value))})
            improved = 1 + (fall == 0) * 3 + int(rng.integers(0, 3))
            rows["scores"].append(score | {"instrument": "cgi_i", "value": improved})
        rows["scores"].append(
            score | {"instrument": "ybocs", "study_day": 2, "value": 3, "valid_for_analysis": False}
        )
        rows["suds_falls"].append(
            {
                "participant": who,
                "session": "S1",
                "minutes": 10,
                "suds_from": 80,
                "suds_to": 40,
                "possible_causes": "habituation" if late else "habituation; drug",
            }
        )
        for n, session in enumerate(("S1", "S2")):
            rows["exposure_blocks"].append(
                {
                    "participant": who,
                    "session": session,
                    "study_day": 7 * n,
                    "item": "door",
                    "start_min": 5,
                    "suds_first": 70 - 20 * n,
                    "suds_peak": 80 - 20 * n,
                    "suds_last": 35,
                }
            )
        rows["vitals"].append({"participant": who, "systolic_mmhg": 130 + i, "diastolic_mmhg": 80, "spo2_pct": 98})
        if guess:
            rows["guesses"].append(
                {
                    "participant": who,
                    "study_day": 1,
                    "by": "rater",
                    "guess": ("concurrent", "sequential", "unsure")[int(rng.integers(0, 3))],
                    "certainty": 60,
                    "expected_improvement": None,
                }
            )
    rows["adverse_events"] += [
        {"participant": "K000", "code": "nausea", "grade_highest": 1, "serious": False, "relation": "possible"},
        {"participant": "K001", "code": "hypertension", "grade_highest": 3, "serious": True, "relation": "probable"},
    ]
    rows["intercurrent_events"] += [
        {"participant": "K002", "study_day": 10, "kind": "rescue_benzodiazepine"},
        {"participant": "K003", "study_day": 0, "kind": "something_new"},
    ]
    for name, columns in SCHEMA.items():
        _write_csv(folder / f"{name}.csv", list(columns), rows[name])
    _write_csv(folder / "allocation.csv", ["participant", "arm"], arms)
    return folder


def _write_csv(path: Path, columns: list[str], rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for row in rows:
            cells = [row.get(column) for column in columns]
            writer.writerow("" if c is None else str(c).lower() if isinstance(c, bool) else c for c in cells)
