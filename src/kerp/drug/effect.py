"""From concentration to what is felt, to what drives learning, and to blood pressure.

Effect site and tolerance are linear readers of the concentration, so they are solved with it, exactly; only the last
step is curved. Links are calibrated or assumed, none is fitted: `status` and `caveats` travel with every result and
are printed on every plot (research/pkpd.md section 4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerp.base.data import DATA, path_of
from kerp.base.errors import UnknownIdError
from kerp.base.seeds import Stream
from kerp.base.tomlfile import read_toml
from kerp.drug.datafile import DataFile
from kerp.drug.events import Doses
from kerp.drug.kinetics import by_chunks, checked_times, course_of, network_of, solved
from kerp.drug.linear import Array, Network, with_reader
from kerp.drug.model import DrugModel, Moiety
from kerp.drug.population import standard_normals
from kerp.evidence.sourced import Sourced

Host = NDArray[np.float64]
Parameters = Mapping[str, Array]

DEFAULT_LINK = "pd_default_exploratory"
_C50_KEY, _GAIN_KEY, _PRESSURE_KEY = 111, 112, 113  # keys of this room below the PATIENT stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link as data: its kind, how it came about, its numbers, and what must be said with it."""

    id: str
    kind: str
    name: str
    status: str
    caveats: tuple[str, ...]
    parameters: Mapping[str, Sourced]
    between_subject: Mapping[str, Sourced]

    def __getitem__(self, name: str) -> float:
        return self.parameters[name].value


@dataclass(frozen=True)
class EffectCurve:
    """Felt effect in [0, 1], (people, times), with the caveats that go with it."""

    link: str
    model: str
    times_min: Host
    felt: NDArray[np.float64]
    caveats: tuple[str, ...]


@dataclass(frozen=True)
class Drives:
    """What the mechanism model takes from the drug, each (people, times).

    `concentration_ng_per_ml`: racemate-equivalents at the model's sampling site; `learning` is E and `felt` F, both
    in [0, 1]. E and F differ on purpose: learning effects outlast what is felt.
    """

    times_min: Host
    concentration_ng_per_ml: NDArray[np.float64]
    learning: NDArray[np.float64]
    felt: NDArray[np.float64]
    caveats: tuple[str, ...]


@dataclass(frozen=True)
class PressureRise:
    """Rise of systolic and diastolic blood pressure over baseline in mmHg, (people, times)."""

    times_min: Host
    systolic_mmhg: NDArray[np.float64]
    diastolic_mmhg: NDArray[np.float64]
    caveats: tuple[str, ...]


def link_ids(kind: str = "felt_effect") -> list[str]:
    """Ids of the shipped links of a kind."""
    return sorted(path.stem for path in (DATA / "drug").glob("*.toml") if read_toml(path).data.get("kind") == kind)


@lru_cache(maxsize=32)
def load_link(link_id: str = DEFAULT_LINK, kind: str = "felt_effect") -> Link:
    """The shipped link of an id and kind; an unknown id is refused with the nearest ones."""
    known = link_ids(kind)
    if link_id not in known:
        raise UnknownIdError(f"{kind.replace('_', ' ')} link", link_id, known, field="link")
    file = DataFile(read_toml(path_of("drug", link_id)))
    return Link(
        id=link_id,
        kind=kind,
        name=file.text("name"),
        status=file.text("status"),
        caveats=file.texts("caveats"),
        parameters=file.table("parameters"),
        between_subject=file.table("between_subject"),
    )


def felt_effect(
    link: Link,
    model: DrugModel,
    parameters: Parameters,
    doses: Doses,
    times_min: Any,
    c50: Array | None = None,
    xp: Any = np,
) -> EffectCurve:
    """Felt effect F of every person. `c50` (people,) from `drawn_c50`; without it everyone has the typical one."""
    times = checked_times(times_min)
    values = dict(parameters) | {"c50": _everyone(parameters, link["c50"]) if c50 is None else c50}

    def solve(part: Parameters) -> Array:
        site, tolerance = _readings(link, model, part, doses, times, xp)
        return _sigmoid(link, site, tolerance, part["c50"][:, None], xp)

    felt = by_chunks(solve, values, xp)
    return EffectCurve(link.id, model.id, times, felt, (*link.caveats, *model.caveats))


def learning_drive(drive: Link, racemate_ng_per_ml: Array) -> Array:
    """E = C / (EC50 + C), C in racemate-equivalents."""
    return racemate_ng_per_ml / (drive["ec50"] + racemate_ng_per_ml)


def drives(
    model: DrugModel,
    parameters: Parameters,
    doses: Doses,
    times_min: Any,
    c50: Array | None = None,
    link: Link | None = None,
    xp: Any = np,
) -> Drives:
    """Concentration, learning drive E and felt effect F together, for the mechanism model."""
    link, drive = link or load_link(), load_link("learning_drive", "learning_drive")
    times = checked_times(times_min)
    felt = felt_effect(link, model, parameters, doses, times, c50, xp)

    def solve(part: Parameters) -> Array:
        return _s_equivalents(model, part, doses, times, xp)

    racemate = xp.maximum(by_chunks(solve, parameters, xp), 0) / drive["s_per_racemate"]
    return Drives(times, racemate, learning_drive(drive, racemate), felt.felt, (*felt.caveats, *drive.caveats))


def pressure_rise(
    model: DrugModel, parameters: Parameters, doses: Doses, times_min: Any, person_factor: Host | None = None
) -> PressureRise:
    """Blood pressure over baseline. `person_factor` (people,) from `drawn_pressure`; without it typical."""
    link = load_link("blood_pressure", "blood_pressure")
    times = checked_times(times_min)

    def solve(part: Parameters) -> Array:
        site, _ = _readings(link, model, part, doses, times, np)
        return _sigmoid(link, site, None, link["c50"], np)

    share = by_chunks(solve, parameters, np)
    factor = _everyone(parameters, 1.0) if person_factor is None else person_factor
    scaled = share * factor[:, None]
    return PressureRise(times, link["systolic_max"] * scaled, link["diastolic_max"] * scaled, link.caveats)


def drawn_c50(link: Link, count: int, seed: int, first: int = 0) -> Host:
    """Each person's C50 (people,), log-normal: person `first` of the population of this seed onwards."""
    return link["c50"] * _log_normal(link.between_subject["c50"], count, seed, first, _C50_KEY)


def drawn_gain(rating: Link, count: int, seed: int, first: int = 0) -> Host:
    """Each person's use of the rating scale (people,): fraction of it at full effect."""
    return rating["gain"] * _log_normal(rating.between_subject["gain"], count, seed, first, _GAIN_KEY)


def drawn_pressure(count: int, seed: int, first: int = 0) -> Host:
    """Each person's factor on the blood pressure rise (people,), mean one."""
    spread = load_link("blood_pressure", "blood_pressure").between_subject["max"]
    factor = _log_normal(spread, count, seed, first, _PRESSURE_KEY)
    return factor / math.sqrt(1 + (spread.value / 100) ** 2)


def _log_normal(spread: Sourced, count: int, seed: int, first: int, key: int) -> Host:
    """Log-normal with median one and a coefficient of variation in per cent."""
    sigma = math.sqrt(math.log1p((spread.value / 100) ** 2))
    return np.exp(sigma * standard_normals(seed, Stream.PATIENT, key, first, count, 1)[:, 0])


def _everyone(parameters: Parameters, value: float) -> Host:
    return np.full(next(iter(parameters.values())).shape[0], value)


def _readings(
    link: Link, model: DrugModel, parameters: Parameters, doses: Doses, times: Host, xp: Any
) -> tuple[Array, Array | None]:
    """Effect-site and tolerance concentrations in S-equivalents, (people, times); enantiomers add up."""
    total: Any = 0
    for moiety in model.moieties:
        network = _with_readers(link, moiety, network_of(model, moiety, parameters, (moiety.analyte,), xp), xp)
        course = course_of(doses, model, moiety.fraction_of_dose.value)
        total = total + solved(network, course, times, xp=xp)
    return total[:, 1, :], (total[:, 2, :] if "m50" in link.parameters else None)


def _with_readers(link: Link, moiety: Moiety, network: Network, xp: Any) -> Network:
    ones = xp.ones(network.inputs.shape[0])
    row = moiety.s_equivalents.value * network.outputs[:, 0, :]
    network = with_reader(network, row, ones * math.log(2) / link["site_half_life"], "effect site", xp)
    if "m50" in link.parameters:
        rate = ones * math.log(2) / link["tolerance_half_life"]
        network = with_reader(network, network.outputs[:, -1, :], rate, "tolerance", xp)
    return network


def _s_equivalents(model: DrugModel, parameters: Parameters, doses: Doses, times: Host, xp: Any) -> Array:
    total: Any = 0
    for moiety in model.moieties:
        network = network_of(model, moiety, parameters, (moiety.analyte,), xp)
        course = course_of(doses, model, moiety.fraction_of_dose.value)
        total = total + moiety.s_equivalents.value * solved(network, course, times, xp=xp)[:, 0, :]
    return total


def _sigmoid(link: Link, site: Array, tolerance: Array | None, c50: Array | float, xp: Any) -> Array:
    """u^g / (1 + u^g), u = site / (c50 (1 + M/M50)); round-off below zero counts as zero."""
    half = c50 if tolerance is None else c50 * (1 + xp.maximum(tolerance, 0) / link["m50"])
    power = (xp.maximum(site, 0) / half) ** link["slope"]
    return power / (1 + power)
