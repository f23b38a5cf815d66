"""Values that our statistics must reproduce."""

from __future__ import annotations

from pathlib import Path

from evidence_notes.row import Row, origin, read, take

STATISTICS = {
    "power.t.test": "rstats",
    "rpact": "rpact",
    "SciPy": "kerpcalc",
    "Borm": "borm2007",
    "algebra": "kerpcalc",
    "SAS SEQDESIGN": "sasseqdesign",
    "Jennison": "jennison2000",
    "tight NumPy": "kerpcalc",
    "openpharma/mmrm": "mmrmpackage",
    "R mmrm": "mmrmpackage",
    "own batched REML": "kerpcalc; mmrmpackage",
    "nlme": "nlme",
    "lme4": "lme4",
    "statsmodels": "statsmodels; niststrd",
    "fisher.test": "rodriguez2013; rstats",
    "binom.test": "rstats",
    "Freeman": "freeman1989",
    "adaptr": "adaptr",
    "simulation": "kerpcalc",
}
ORIGINS = {
    "read": "published",
    "recalled": "published",
    "computed_here": "computed",
    "read + computed_here": "computed",
    "derived": "derived",
}

# our column -> the column of the notes
STATISTIC_COLUMNS = {
    "reference_value": "id",
    "area": "category",
    "quantity": "quantity",
    "setting": "dataset_or_design",
    "expected": "expected",
    "tolerance": "tolerance",
    "seen_in": "source",
    "note": "note",
}


def stat_references(notes: Path) -> list[Row]:
    """Reference values that our statistics must reproduce."""
    return [
        take(line, STATISTIC_COLUMNS)
        | {"origin": ORIGINS[line["provenance"]]}
        | origin(line["source"], STATISTICS, line["provenance"])
        for line in read(notes / "stat_references.csv")
    ]
