"""The tables of `kerp records tables` as this room reads them: which columns, of which type, and nothing else.

The arm is in no log: it comes from `allocation.csv` (participant, arm, and stratum where there is one), released by
the allocation store when the blind is opened. Whether people were real or simulated stands in no column, so nothing
here can depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerp.analysis.columns import Columns, read_columns
from kerp.base.errors import Fault, KerpError

Row = dict[str, Any]
TEXT, NUMBER, FLAG = "text", "number", "flag"

SCHEMA: Mapping[str, Mapping[str, str]] = {
    "participants": {"participant": TEXT, "site": TEXT, "eligible": FLAG, "criteria_not_met": TEXT,
                     "theme": TEXT, "weight_kg": NUMBER, "withdrawn": FLAG,
                     "withdrawal_scope": TEXT, "withdrawal_study_day": NUMBER},
    "sessions": {"participant": TEXT, "session": TEXT, "study_day": NUMBER, "therapist": TEXT, "drug_given": FLAG,
                 "exposure_given": FLAG, "contact_min": NUMBER},
    "exposure_blocks": {"participant": TEXT, "session": TEXT, "study_day": NUMBER, "item": TEXT, "start_min": NUMBER,
                        "suds_first": NUMBER, "suds_peak": NUMBER, "suds_last": NUMBER},
    "ratings": {"participant": TEXT, "study_day": NUMBER, "measure": TEXT, "value": NUMBER},
    "suds_falls": {"participant": TEXT, "session": TEXT, "minutes": NUMBER, "suds_from": NUMBER, "suds_to": NUMBER,
                   "possible_causes": TEXT},
    "vitals": {"participant": TEXT, "systolic_mmhg": NUMBER, "diastolic_mmhg": NUMBER, "spo2_pct": NUMBER},
    "scores": {"participant": TEXT, "study_day": NUMBER, "instrument": TEXT, "version": TEXT, "subscale": TEXT,
               "value": NUMBER, "valid_for_analysis": FLAG},
    "adverse_events": {"participant": TEXT, "code": TEXT, "grade_highest": NUMBER, "serious": FLAG, "relation": TEXT},
    "intercurrent_events": {"participant": TEXT, "study_day": NUMBER, "kind": TEXT},
    "deviations": {"participant": TEXT, "kind": TEXT, "major": FLAG},
    "guesses": {"participant": TEXT, "session": TEXT, "visit": TEXT, "study_day": NUMBER, "by": TEXT, "guess": TEXT,
                "certainty": NUMBER, "expected_improvement": NUMBER},
}  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """Rows of every table, typed, and the arm (and stratum, where given) of every randomised participant."""

    rows: Mapping[str, tuple[Row, ...]]
    arm_of: Mapping[str, str]
    stratum_of: Mapping[str, str]

    @property
    def not_randomised(self) -> tuple[Row, ...]:
        """People who were assessed and have no arm: screening failures and those who declined."""
        return tuple(row for row in self.rows["participants"] if row["participant"] not in self.arm_of)

    def of(self, table: str, participant: str) -> list[Row]:
        """Rows of one participant, in the order of the table."""
        return [row for row in self.rows[table] if row["participant"] == participant]


def read_tables(folder: Path, allocation: Path | None = None) -> Tables:
    """Read a folder of tables. Raises `KerpError` with every missing table, column and unreadable value."""
    if not folder.is_dir():
        raise KerpError(
            Fault("there is no such folder of tables", str(folder), ways_out=("kerp records tables --out",))
        )
    faults: list[Fault] = []
    rows = {name: _rows(folder, name, columns, faults) for name, columns in SCHEMA.items()}
    arms, strata = _arms(allocation or folder / "allocation.csv", faults)
    if faults:
        raise KerpError(*faults)
    strangers = _treated_without_arm(rows, set(arms))
    if strangers:
        message = "these participants were treated but have no arm in the allocation: " + ", ".join(strangers[:10])
        way = "a person without an arm may only have been assessed (screened and not randomised)"
        raise KerpError(Fault(message, str(allocation or folder / "allocation.csv"), ways_out=(way,)))
    return Tables(rows, arms, strata)


def _treated_without_arm(rows: Mapping[str, tuple[Row, ...]], allocated: set[str]) -> list[str]:
    """People without an arm who were given drug or exposure: their allocation is lost, not theirs to leave out."""
    treated = {row["participant"] for row in rows["sessions"] if row["drug_given"] or row["exposure_given"]}
    return sorted(str(who) for who in treated - allocated)


def _rows(folder: Path, name: str, wanted: Mapping[str, str], faults: list[Fault]) -> tuple[Row, ...]:
    try:
        columns = _read(folder, name)
    except KerpError as error:
        faults.extend(error.faults)
        return ()
    missing = [column for column in wanted if column not in columns.cells]
    if missing:
        faults.append(Fault("columns are missing: " + ", ".join(missing), columns.where, 1))
        return ()
    try:
        typed = {column: _typed(columns, column, kind) for column, kind in wanted.items()}
    except KerpError as error:
        faults.extend(error.faults)
        return ()
    return tuple(dict(zip(typed, values, strict=True)) for values in zip(*typed.values(), strict=True))


def _read(folder: Path, name: str) -> Columns:
    csv, parquet = folder / f"{name}.csv", folder / f"{name}.parquet"
    return read_columns(parquet if parquet.is_file() and not csv.is_file() else csv, may_have_no_rows=True)


def _typed(columns: Columns, name: str, kind: str) -> list[Any]:
    if kind == NUMBER:
        return [None if value != value else float(value) for value in columns.numbers(name)]  # noqa: PLR0124  NaN
    if kind == TEXT:
        return list(columns.text(name))
    return [None if cell is None else _flag(columns, name, row, cell) for row, cell in enumerate(columns.text(name))]


def _flag(columns: Columns, name: str, row: int, cell: str) -> bool:
    if cell.lower() not in ("true", "false"):
        raise KerpError(Fault("this is neither true nor false", columns.where, columns.line(row), name, cell))
    return cell.lower() == "true"


def _arms(path: Path, faults: list[Fault]) -> tuple[dict[str, str], dict[str, str]]:
    try:
        columns = read_columns(path)
        pairs = list(zip(columns.complete("participant"), columns.complete("arm"), strict=True))
    except KerpError as error:
        faults.extend(error.faults)
        way = "a CSV with the columns participant and arm, released when the blind is opened (--allocation FILE)"
        faults.append(Fault("the arms of the participants are needed", str(path), ways_out=(way,)))
        return {}, {}
    twice = sorted({who for who, _ in pairs if [p for p, _ in pairs].count(who) > 1})
    if twice:
        faults.append(Fault("participants are allocated twice: " + ", ".join(twice), str(path)))
    strata = columns.text("stratum") if "stratum" in columns.cells else (None,) * len(pairs)
    return dict(pairs), {who: cell for (who, _), cell in zip(pairs, strata, strict=True) if cell is not None}
