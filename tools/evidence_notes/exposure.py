"""Distress within and between exposures."""

from __future__ import annotations

from pathlib import Path

from evidence_notes.row import Row, noted, read

PROCESS = {
    "Elsner 2022": "elsner2022",
    "Benito": "benito2018",
    "De Silva": "desilva2003",
    "Rachman": "rachman1976",
    "EX/RP manual": "foa2012",
    "Kircanski": "kircanski2015",
    "Kozak": "kozak1988",
    "Jacoby": "jacoby2019",
    "Kushner": "kushner2007",
    "Ong": "ong2016",
    "Johnco": "johnco2020",
    "Foa 2005": "foa2005",
    "Dehghan": "dehghan2022",
    "Bowdle": "bowdle1998",
    "Zou": "zou2009",
}

# our column -> the column of the notes
PROCESS_COLUMNS = {
    "study": "study",
    "population": "population",
    "people": "n",
    "setting": "setting",
    "rating": "scale",
    "minutes": "minutes",
    "suds_start": "suds_start",
    "suds_peak": "suds_peak",
    "suds_end": "suds_end",
    "between_sessions": "between_session_change",
    "left_early_percent": "dropout_pct",
    "finding": "finding",
    "use": "model_use",
    "seen_in": "source",
}


def habituation(notes: Path) -> list[Row]:
    """Studies of distress within and between exposures."""
    return noted(read(notes / "habituation.csv"), PROCESS_COLUMNS, PROCESS, "study")
