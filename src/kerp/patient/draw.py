"""Draws populations from priors in blocks of fixed size: person k is the same in a hundred and in a million.

Every quantity has its own stream, named by the quantity, so that a new parameter changes nobody else. People are
drawn until a block is full of those whose rated Y-BOCS reaches the entry score, as a trial would screen them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from zlib import crc32

import numpy as np
from scipy import special

from kerp.base.errors import Fault, KerpError
from kerp.base.seeds import Stream, generator
from kerp.learning.priors import FROM_PATIENT, checked, priors
from kerp.learning.scales import constant, untreated, ybocs_mean, ybocs_rated
from kerp.patient.pool import Pool, pool
from kerp.patient.record import Column, Population, joined

BLOCK = 2048
MOST = 10_000_000
_SCREENED = 2560  # candidates per round of screening
_ROUNDS = 200


class Chance:
    """Uniform and normal numbers of one round of screening, one stream per quantity."""

    def __init__(self, seed: int, block: int, screening: int) -> None:
        self.key = (seed, block, screening)

    def uniform(self, name: str, columns: int = 1) -> Column:
        seed, block, screening = self.key
        chance = generator(seed, Stream.PATIENT, block, screening, crc32(name.encode()))
        drawn = chance.random((_SCREENED, columns))
        return drawn[:, 0] if columns == 1 else drawn

    def normal(self, name: str, columns: int = 1) -> Column:
        return np.asarray(special.ndtri(np.clip(self.uniform(name, columns), 1e-16, 1 - 1e-16)))


def draw(
    count: int,
    seed: int,
    fixed: Mapping[str, float] | None = None,
    signs: Mapping[str, int] | None = None,
    pool_id: str = "adult-ocd",
) -> Population:
    """`count` people. `fixed` sets parameters for everyone (checked), `signs` folds a signed prior to one side."""
    return joined(list(blocks(count, seed, fixed, signs, pool_id)))


def blocks(
    count: int,
    seed: int,
    fixed: Mapping[str, float] | None = None,
    signs: Mapping[str, int] | None = None,
    pool_id: str = "adult-ocd",
) -> Iterator[Population]:
    """The same people block by block, so that memory stays flat."""
    if not 1 <= count <= MOST:
        raise KerpError(
            Fault("the number of people is out of range", field="n", found=str(count), allowed=f"1 to {MOST}")
        )
    held = checked(fixed or {})
    who = pool(pool_id)
    for block in range((count - 1) // BLOCK + 1):
        people = _block(seed, block, held, signs or {}, who)
        yield people.rows(slice(0, min(BLOCK, count - block * BLOCK)))


def _block(seed: int, block: int, held: Mapping[str, float], signs: Mapping[str, int], who: Pool) -> Population:
    kept: list[Population] = []
    enrolled = 0
    for screening in range(_ROUNDS):
        people = _candidates(Chance(seed, block, screening), held, signs, who)
        entered = people.rows(np.flatnonzero(people.traits["baseline_ybocs"] >= constant("ybocs", "entry_min")))
        kept.append(entered)
        enrolled += entered.count
        if enrolled >= BLOCK:
            return _numbered(joined(kept).rows(slice(0, BLOCK)), seed, block)
    message = "almost nobody with these parameters reaches the entry score on the Y-BOCS"
    found = f"{enrolled} of {_ROUNDS * _SCREENED} screened"
    raise KerpError(
        Fault(message, field="--set", found=found, ways_out=("set V0, n0 or m to values nearer the prior",))
    )


def _numbered(people: Population, seed: int, block: int) -> Population:
    place = {"number": block * BLOCK + np.arange(BLOCK), "drug_seed": np.full(BLOCK, seed)}
    return Population(place | dict(people.traits), people.parameters)


def _candidates(chance: Chance, held: Mapping[str, float], signs: Mapping[str, int], who: Pool) -> Population:
    theme, m = _themes(chance, who)
    parameters: dict[str, Column] = {}
    for name, prior in priors().items():
        if prior.family != "fixed" and prior.family not in FROM_PATIENT:
            parameters[name] = prior.drawn(chance.uniform(name), signs.get(name, 0))
    parameters["m"] = m
    parameters |= {name: np.full(_SCREENED, value) for name, value in held.items() if name != "r"}
    traits = {"theme": theme} | _person(chance, who) | _behaviour(chance, who, held)
    traits["baseline_ybocs"] = _screened(chance, parameters, traits["scale_use"])
    severity = traits["baseline_ybocs"] / 25.0
    hours = who["people"]["obsession_mean_h"] * severity
    spread = np.exp(who["people"]["obsession_sd_log_sd"] * chance.normal("obsession_h"))
    traits["obsession_h"] = np.clip(hours * spread, 0.5, 18.0)
    return Population(traits, parameters)


def _themes(chance: Chance, who: Pool) -> tuple[Column, Column]:
    edges = np.cumsum([theme.share for theme in who.themes])[:-1]
    index = np.searchsorted(edges, chance.uniform("theme"), side="right")
    mean = np.array([theme.m_mean for theme in who.themes])[index]
    sd = np.array([theme.m_sd for theme in who.themes])[index]
    names = np.array([theme.id for theme in who.themes])[index]
    return names, np.clip(mean + sd * chance.normal("m"), 0.02, 1.0)


def _person(chance: Chance, who: Pool) -> dict[str, Column]:
    people = who["people"]
    weight = people["weight_mean_kg"] + people["weight_sd_kg"] * chance.normal("weight_kg")
    age = people["age_mean_years"] + people["age_sd_years"] * chance.normal("age_years")
    insight = people["insight_mean_points"] + people["insight_sd_points"] * chance.normal("insight_points")
    female = chance.uniform("sex") < people["female_fraction"]
    return {
        "sex": np.where(female, "female", "male"),
        "ancestry": np.full(_SCREENED, "caucasian"),
        "weight_kg": np.clip(weight, people["weight_min_kg"], people["weight_max_kg"]),
        "age_years": np.clip(age, people["age_min_years"], people["age_max_years"]),
        "medication_free": (chance.uniform("medication_free") < people["medication_free_fraction"]).astype(int),
        "insight_points": np.clip(np.rint(insight), 0, 24),
    }


def _behaviour(chance: Chance, who: Pool, held: Mapping[str, float]) -> dict[str, Column]:
    habits = who["behaviour"]
    between = 0.0 if "r" in held else habits["adherence_sd_log_sd"]
    mean = np.clip(held.get("r", habits["adherence_mean_fraction"]), 1e-6, 1 - 1e-6)
    frailty = who["dropout"]["frailty_sd"]
    avoided = special.logit(habits["avoidance_mean_fraction"]) + habits["avoidance_sd_log_sd"] * chance.normal(
        "avoidance"
    )
    return {
        "scale_use": np.exp(constant("ybocs", "scale_use_sd") * chance.normal("scale_use")),
        "felt_use": np.exp(constant("felt", "scale_use_sd") * chance.normal("felt_use")),
        "adherence_logit": special.logit(mean) + between * chance.normal("adherence"),
        "avoidance": special.expit(avoided),
        "dropout_frailty": np.exp(frailty * chance.normal("dropout") - 0.5 * frailty**2),
    }


def _screened(chance: Chance, parameters: Mapping[str, Column], scale_use: Column) -> Column:
    """The rated Y-BOCS at screening: at the untreated rest obsession is V0 and neutralising n0, in every model."""
    obsession, compulsion = untreated(np, *(parameters[name] for name in ("V0", "n0", "m")))
    return np.asarray(ybocs_rated(obsession, compulsion, scale_use, chance.normal("screening_error", 2)))


def reference_person(fixed: Mapping[str, float] | None = None) -> Population:
    """The typical person of MODEL.md, 70 kg, every parameter at its typical value unless set; no chance at all."""
    held = checked(fixed or {})
    values = {name: prior.typical.value for name, prior in priors().items()} | held
    r = np.clip(values["r"], 1e-9, 1 - 1e-9)
    baseline = sum(ybocs_mean(*untreated(np, values["V0"], values["n0"], values["m"])))
    traits = {
        "number": 0, "drug_seed": -1, "theme": "contamination", "sex": "female", "ancestry": "caucasian",
        "weight_kg": 70.0, "age_years": 35.0, "medication_free": 1, "insight_points": 6.0, "scale_use": 1.0,
        "felt_use": 1.0, "adherence_logit": special.logit(r), "avoidance": 0.0, "dropout_frailty": 0.0,
        "baseline_ybocs": np.rint(baseline), "obsession_h": 8.0,
    }  # fmt: skip
    return Population(
        {name: np.array([value]) for name, value in traits.items()},
        {name: np.array([float(value)]) for name, value in values.items()},
    )
