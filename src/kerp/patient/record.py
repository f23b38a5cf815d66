"""A virtual patient as a plain record, a population as a table. Traits only: processes live in `simulate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Column = np.ndarray[tuple[int, ...], np.dtype[Any]]

TEXT = ("theme", "sex", "ancestry")
# Traits besides the parameters of the learning models, with unit and meaning (the data dictionary of a patient file).
TRAITS: Mapping[str, tuple[str, str]] = {
    "number": ("1", "place in the population of its seed"),
    "drug_seed": ("1", "seed of the drug response: kinetics and effect of person `number` of that seed"),
    "theme": ("text", "dimension of the obsessions"),
    "sex": ("text", "female or male"),
    "ancestry": ("text", "covariate of the nasal model"),
    "weight_kg": ("kg", "body weight"),
    "age_years": ("year", "age"),
    "medication_free": ("0/1", "takes no serotonin reuptake inhibitor"),
    "obsession_h": ("h/day", "hours of obsessions per day"),
    "insight_points": ("points", "insight, BABS total 0-24"),
    "baseline_ybocs": ("points", "Y-BOCS rated at screening"),
    "scale_use": ("1", "factor of this person's use of the Y-BOCS"),
    "felt_use": ("1", "factor of this person's use of the felt-effect scale"),
    "adherence_logit": ("logit", "mean adherence to response prevention"),
    "avoidance": ("fraction", "share of exposure intensity avoided"),
    "dropout_frailty": ("1", "factor on the hazard of leaving treatment"),
}


@dataclass(frozen=True, slots=True)
class Patient:
    """One person: traits and learning parameters by name."""

    traits: Mapping[str, Any]
    parameters: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Population:
    """A table: each column shaped (people,). `parameters` are those of the learning models, on the natural scale."""

    traits: Mapping[str, Column]
    parameters: Mapping[str, Column]

    @property
    def count(self) -> int:
        return int(self.traits["weight_kg"].shape[0])

    def patient(self, row: int) -> Patient:
        """One row as a record."""
        traits = {name: column[row].item() for name, column in self.traits.items()}
        return Patient(traits, {name: float(column[row]) for name, column in self.parameters.items()})

    def rows(self, part: slice | Column) -> Population:
        """Some of the people, as views where possible."""
        return Population(
            {name: column[part] for name, column in self.traits.items()},
            {name: column[part] for name, column in self.parameters.items()},
        )

    def columns(self) -> dict[str, Column]:
        """Everything by name, traits first."""
        return {**self.traits, **self.parameters}


def joined(parts: list[Population]) -> Population:
    """Populations one after another."""
    return Population(
        {name: np.concatenate([part.traits[name] for part in parts]) for name in parts[0].traits},
        {name: np.concatenate([part.parameters[name] for part in parts]) for name in parts[0].parameters},
    )


def of_patients(patients: list[Patient]) -> Population:
    """A table of plain records."""
    first = patients[0]
    return Population(
        {name: np.array([patient.traits[name] for patient in patients]) for name in first.traits},
        {name: np.array([patient.parameters[name] for patient in patients]) for name in first.parameters},
    )
