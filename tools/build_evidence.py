"""Writes kerp's evidence tables from the research notes beside the repository (`../shared/evidence`).

The notes are not part of the repository: two of them are other people's data files. This script takes facts over
into kerp's own tables, with our own columns and order, the id of a reference and the mark in every row; run it again
when the notes change. Attribution of the psychotherapy figures: Metapsy data-ocd-psyctr 24.0.1, Open Data Commons
Attribution License 1.0, DOI 10.5281/zenodo.10471942.

    python tools/build_evidence.py [NOTES_FOLDER]

How a table is made of its note stands in `evidence_notes`.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from evidence_notes.exposure import habituation
from evidence_notes.pharmacology import pd_observations, pk_models, pk_observations
from evidence_notes.reference_values import stat_references
from evidence_notes.row import Row
from evidence_notes.scales import instrument_facts
from evidence_notes.trials import meta_estimates, psychotherapy, registrations, trials

HERE = Path(__file__).resolve().parent.parent
OUT = HERE / "src" / "kerp" / "data" / "evidence"
TABLES = {
    "trials": trials,
    "psychotherapy_ybocs": psychotherapy,
    "meta_estimates": meta_estimates,
    "habituation": habituation,
    "registrations": registrations,
    "instrument_facts": instrument_facts,
    "pk_models": pk_models,
    "pk_observations": pk_observations,
    "pd_observations": pd_observations,
    "stat_references": stat_references,
}


def write(name: str, rows: list[Row]) -> None:
    """One table of ours."""
    with (OUT / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{name}: {len(rows)} rows")


def main(notes: Path) -> None:
    """Write every table."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name, rows in TABLES.items():
        write(name, rows(notes))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "shared" / "evidence")
