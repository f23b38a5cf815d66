"""Traits of a simple simulated person: drawn from `data/persons`, or read from a site's file (`--patient`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from kerp.base.data import path_of
from kerp.base.digest import digest
from kerp.base.errors import Fault, KerpError
from kerp.base.tomlfile import read_toml
from kerp.drug.datafile import DataFile
from kerp.evidence.sourced import Sourced


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """One person, as plain data. Minutes, mmHg, SUDS points; factors are relative to the typical person."""

    code: str = "P001"
    weight_kg: float = 70.0
    age_years: float = 35.0
    ancestry: str = "caucasian"
    sex: str = "female"
    theme: str = "contamination"
    covert: bool = False  # rituals are mental; moral and taboo themes (PAPER P18)
    ybocs: int = 26
    ybocs_fall: float = 0.3
    suds_rest: float = 20.0
    half_time_min: float = 25.0
    floor_share: float = 0.2
    kept_share: float = 0.6
    suds_noise: float = 4.0
    ritual_per_h: float = 0.7
    ritual_relief: float = 0.5
    drug_relief: float = 0.25
    expectancy: float = 0.7
    c50_factor: float = 1.0
    gain_factor: float = 1.0
    cadss_factor: float = 1.0
    route: str = "iv_infusion"
    pressure_factor: float = 1.0
    systolic_mmhg: float = 122.0
    diastolic_mmhg: float = 76.0
    pressure_noise: float = 3.0
    heart_rate_per_min: float = 72.0
    heart_rate_rise: float = 8.0
    spo2_pct: float = 98.0
    sedation: float = 0.6  # MOAA/S levels lost at full felt effect
    paradoxical_suds: float = 0.0
    missed_rating_chance: float = 0.02
    nausea: bool = False
    no_effect: bool = False
    says_stop_at_min: float | None = None


_LIMITS: dict[str, tuple[float, float]] = {
    "weight_kg": (30, 200),
    "age_years": (18, 100),
    "ybocs": (0, 40),
    "ybocs_fall": (-1, 1),
    "suds_rest": (0, 100),
    "half_time_min": (1, 600),
    "systolic_mmhg": (60, 260),
    "diastolic_mmhg": (30, 160),
    "heart_rate_per_min": (30, 200),
    "spo2_pct": (50, 100),
    "says_stop_at_min": (0, 600),
}
_SHARES = ("floor_share", "kept_share", "ritual_relief", "drug_relief", "expectancy", "missed_rating_chance")


@cache
def _numbers() -> dict[str, dict[str, Sourced]]:
    file = DataFile(read_toml(path_of("persons", "simple")))
    return {name: file.table(name) for name in ("spread", "distress", "behaviour", "guess")}


def guess_numbers() -> dict[str, Sourced]:
    """Chances that somebody says active, comparison or that they do not know."""
    return _numbers()["guess"]


def assumptions() -> list[Sourced]:
    """Every number the simple person rests on."""
    return [value for table in _numbers().values() for value in table.values()]


def assumptions_digest() -> str:
    """Digest of those numbers, for the opening record of a simulated log."""
    return digest(_numbers())


def draw_traits(chance: np.random.Generator, route: str, code: str) -> Traits:
    """A person drawn from `data/persons/simple.toml`."""
    spread, distress, behaviour = (_numbers()[name] for name in ("spread", "distress", "behaviour"))

    def normal(table: dict[str, Sourced], name: str, low: float, high: float) -> float:
        value = chance.normal(table[f"{name}_mean"].value, table[f"{name}_sd"].value)
        return round(float(min(high, max(low, value))), 1)

    covert = bool(chance.random() < 0.25)
    lognormal = [float(math.exp(chance.normal(0, 0.3))) for _ in range(2)]
    return Traits(
        code=code,
        weight_kg=normal(spread, "weight", 45, 118),
        age_years=round(float(chance.uniform(spread["age_low"].value, spread["age_high"].value))),
        sex="female" if chance.random() < 0.5 else "male",
        theme="taboo" if covert else str(chance.choice(["contamination", "doubt", "symmetry"])),
        covert=covert,
        ybocs=round(normal(spread, "ybocs", 16, 38)),
        ybocs_fall=normal(behaviour, "y_bocs_fall", -0.1, 0.8),
        half_time_min=float(chance.uniform(distress["half_time_low"].value, distress["half_time_high"].value)),
        floor_share=distress["floor_share"].value,
        kept_share=distress["kept_share"].value,
        suds_noise=distress["noise_sd"].value,
        ritual_per_h=behaviour["ritual_per_h"].value,
        ritual_relief=distress["ritual_relief"].value,
        drug_relief=distress["drug_relief"].value,
        c50_factor=lognormal[0],
        gain_factor=lognormal[1],
        route=route,
        pressure_factor=float(abs(chance.normal(1, 0.8))),
        systolic_mmhg=min(138.0, normal(spread, "systolic", 100, 138)),
        diastolic_mmhg=min(88.0, normal(spread, "diastolic", 60, 88)),
        pressure_noise=spread["pressure_noise_sd"].value,
        heart_rate_per_min=normal(spread, "heart_rate", 55, 95),
        heart_rate_rise=spread["heart_rate_rise"].value,
        spo2_pct=spread["spo2_mean"].value,
        paradoxical_suds=behaviour["paradoxical_suds"].value
        if chance.random() < behaviour["paradoxical_chance"].value
        else 0.0,
        missed_rating_chance=behaviour["missed_rating_chance"].value,
        nausea=bool(chance.random() < behaviour["nausea_chance"].value),
    )


def read_traits(path: Path | str, base: Traits) -> Traits:
    """Traits of a TOML file over `base`; every fault is named with its line."""
    document = read_toml(path)
    known = {f.name: f for f in fields(Traits)}
    faults = []
    for name, value in document.data.items():
        message = _fault(name, value, getattr(base, name, None), known=name in known)
        if message:
            line = document.line_of((name,))
            allowed = message[1] or ", ".join(sorted(known))
            faults.append(Fault(message[0], document.where, line, name, repr(value), allowed))
    if faults:
        raise KerpError(*faults)
    return replace(base, **{name: _fitted(getattr(base, name), value) for name, value in document.data.items()})


def _fault(name: str, value: Any, usual: Any, *, known: bool) -> tuple[str, str] | None:
    if not known:
        return "a person has no such trait", ""
    if isinstance(usual, bool | str):
        return None if type(value) is type(usual) else ("the wrong type", type(usual).__name__)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "a number is expected", "a finite number"
    low, high = (0.0, 1.0) if name in _SHARES else _LIMITS.get(name, (0.0, 1_000.0))
    return None if low <= value <= high else ("out of range", f"{low:g} to {high:g}")


def _fitted(usual: Any, value: Any) -> Any:
    return float(value) if isinstance(usual, float) and not isinstance(value, bool) else value
