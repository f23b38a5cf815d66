"""Concentration models as frozen data, read from `data/drug/<id>.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kerp.base.data import DATA, path_of
from kerp.base.errors import UnknownIdError
from kerp.base.tomlfile import read_toml
from kerp.drug.datafile import DataFile
from kerp.evidence.sourced import Sourced

# to minutes and litres, in which everything is computed
_TO_INTERNAL = {
    "L": 1.0,
    "L/kg": 1.0,
    "L/min": 1.0,
    "L/h": 1 / 60,
    "L/h per year": 1 / 60,
    "1/min": 1.0,
    "1/h": 1 / 60,
    "min": 1.0,
    "h": 60.0,
    "years": 1.0,
    "fraction": 1.0,
    "multiplier": 1.0,
    "CV %": 0.01,
    "SD log": 1.0,
    "SD logit": 1.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moiety:
    """One enantiomer (or the drug as a whole): its share of the dose and what it counts in S-ketamine."""

    analyte: str
    fraction_of_dose: Sourced
    s_equivalents: Sourced
    multipliers: Mapping[str, Sourced]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Correlation of two log-normal parameters between people."""

    first: str
    second: str
    r: Sourced


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugModel:
    """A concentration model. `structure` names its compartments, `sampling_site` where its blood is drawn."""

    id: str
    name: str
    agent: str
    sampling_site: str
    routes: tuple[str, ...]
    structure: str
    main_analyte: str
    display_only: tuple[str, ...]
    caveats: tuple[str, ...]
    parameters: Mapping[str, Sourced]
    between_subject: Mapping[str, Sourced]
    scaling: Mapping[str, Sourced]
    residual: Mapping[str, Sourced]
    covariates: Mapping[str, Sourced]
    moieties: tuple[Moiety, ...]
    correlations: tuple[Correlation, ...]
    metabolite: str = ""

    @property
    def analytes(self) -> tuple[str, ...]:
        """What the model gives: the main analyte first, then enantiomers and metabolite."""
        parts = [moiety.analyte for moiety in self.moieties if moiety.analyte != self.main_analyte]
        return (self.main_analyte, *parts, *((self.metabolite,) if self.metabolite else ()))


def internal(value: Sourced) -> float:
    """A sourced value in minutes and litres."""
    return value.value * _TO_INTERNAL[value.unit]


def model_ids() -> list[str]:
    """Ids of the shipped concentration models (files of `data/drug` that have compartments)."""
    return sorted(path.stem for path in (DATA / "drug").glob("*.toml") if "structure" in read_toml(path).data)


@lru_cache(maxsize=32)
def load_model(model_id: str) -> DrugModel:
    """The shipped model of an id; an unknown id is refused with the nearest ones."""
    if model_id not in model_ids():
        raise UnknownIdError("drug model", model_id, model_ids(), field="model")
    return read_model(path_of("drug", model_id))


def read_model(path: Path | str) -> DrugModel:
    """Read one model file; every fault names file, line and field."""
    file = DataFile(read_toml(path))
    return DrugModel(
        id=Path(path).stem,
        name=file.text("name"),
        agent=file.text("agent"),
        sampling_site=file.text("sampling_site"),
        routes=file.texts("routes"),
        structure=file.text("structure"),
        main_analyte=file.text("main_analyte"),
        display_only=file.texts("display_only"),
        caveats=file.texts("caveats"),
        parameters=_converted(file, "parameters"),
        between_subject=_converted(file, "between_subject"),
        scaling=file.table("scaling"),
        residual=_converted(file, "residual"),
        covariates=_converted(file, "covariates"),
        moieties=tuple(_moiety(file, index) for index in range(file.count("moiety"))),
        correlations=tuple(_correlation(file, index) for index in range(file.count("correlation"))),
        metabolite=file.text("metabolite", "analyte") if file.has("metabolite") else "",
    )


def _converted(file: DataFile, name: str) -> dict[str, Sourced]:
    table = file.table(name)
    for key, value in table.items():
        if value.unit not in _TO_INTERNAL:
            raise file.error((name, key, "unit"), "unknown unit", value.unit, ", ".join(_TO_INTERNAL))
    return table


def _moiety(file: DataFile, index: int) -> Moiety:
    table = file.get("moiety", index)
    changed = [key for key in table if key.startswith("times_")]
    return Moiety(
        analyte=file.text("moiety", index, "analyte"),
        fraction_of_dose=file.sourced("moiety", index, "fraction_of_dose"),
        s_equivalents=file.sourced("moiety", index, "s_equivalents"),
        multipliers={key.removeprefix("times_"): file.sourced("moiety", index, key) for key in changed},
    )


def _correlation(file: DataFile, index: int) -> Correlation:
    first, second = file.get("correlation", index, "of")
    return Correlation(first=str(first), second=str(second), r=file.within("r", "correlation", "correlation", index))
