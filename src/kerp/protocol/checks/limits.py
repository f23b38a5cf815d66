"""The limits a protocol is held to, from `data/dosing/limits.toml`."""

from __future__ import annotations

from functools import cache
from typing import Any

from kerp.base.data import path_of
from kerp.base.tomlfile import read_toml


@cache
def _limits() -> dict[str, Any]:
    return read_toml(path_of("dosing", "limits")).data


def earliest_discharge_min() -> float:
    """Minutes from the last device or the actual end of infusion."""
    return float(_limits()["discharge"]["earliest"]["value"])


def dose_range_mg_per_kg(agent: str) -> tuple[float, float] | None:
    """Widest range of an agent whose route does not state one."""
    table = _limits()["agents"].get(agent)
    return None if table is None else (float(table["dose_min"]["value"]), float(table["dose_max"]["value"]))


def threshold_range(name: str) -> tuple[float, float] | None:
    """What can be measured at all, for `sbp_mmhg`, `hr_high_per_min`, `suds`...; None for a rise."""
    measure = name.split("_", maxsplit=1)[0]
    table = _limits()["thresholds"]
    found = {key.split("_")[1]: float(value) for key, value in table.items() if key.startswith(f"{measure}_")}
    return (found["from"], found["to"]) if found and "rise" not in name else None
