"""What happens to people that is not learning: adherence, absence, intolerance, sites, placebo response.

Applied here once and nowhere else. Every process can be switched off; all chance comes from the PROCESS stream, keyed
by block and quantity and never by arm, so that arms share it (DESIGN decision 17).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any
from zlib import crc32

import numpy as np
from scipy import optimize, special

from kerp.base.errors import Fault, KerpError, UnknownIdError
from kerp.base.seeds import Stream, generator
from kerp.patient.draw import BLOCK
from kerp.patient.pool import Pool, pool
from kerp.patient.record import Column, Population
from kerp.protocol.schedule import Schedule
from kerp.simulate.population.stepping import Conduct

LAYERS = ("psychological", "waitlist", "usual_care")
_STOPS = np.arange(0.25, 0.9, 0.125)  # an infusion stops at one of these shares, so that people group (numerical)


@dataclass(frozen=True, slots=True)
class Processes:
    """Which processes run. `placebo`: a layer of published control arms, off by default (PAPER P40; MODEL.md).

    `digits`: people answer SUDS in fives.
    """

    adherence: bool = True
    avoidance: bool = True
    dropout: bool = True
    intolerance: bool = True
    rater_error: bool = True
    digits: bool = True
    sites: int = 1
    placebo: str = ""

    def __post_init__(self) -> None:
        if self.placebo and self.placebo not in LAYERS:
            raise UnknownIdError("placebo layer", self.placebo, list(LAYERS), field="--placebo-layer")
        if not 1 <= self.sites <= 1000:
            raise KerpError(
                Fault("the number of sites is out of range", "--sites", found=str(self.sites), allowed="1-1000")
            )


ALL = Processes()
NONE = Processes(adherence=False, avoidance=False, dropout=False, intolerance=False, rater_error=False)


def without(names: tuple[str, ...]) -> Processes:
    """All processes but the named ones, for example `("dropout", "intolerance")`."""
    known = [f.name for f in fields(Processes) if f.type == "bool"]
    for name in names:
        if name not in known:
            raise UnknownIdError("process", name, known, field="--without")
    off: dict[str, Any] = dict.fromkeys(names, False)
    return replace(ALL, **off)


@dataclass(frozen=True, slots=True)
class Block:
    """Where a population stands in the streams: root seed and number of its block."""

    seed: int
    number: int

    def uniform(self, name: str, columns: int) -> Column:
        chance = generator(self.seed, Stream.PROCESS, self.number, crc32(name.encode()))
        return np.asarray(chance.random((columns, BLOCK)).T)

    def normal(self, name: str, columns: int) -> Column:
        return np.asarray(special.ndtri(np.clip(self.uniform(name, columns), 1e-16, 1 - 1e-16)))

    def error(self, name: str, columns: int) -> Column:
        chance = generator(self.seed, Stream.MEASUREMENT, self.number, crc32(name.encode()))
        return np.asarray(chance.standard_normal((columns, BLOCK)).T)


def conduct(people: Population, schedule: Schedule, block: Block, on: Processes, who: Pool | None = None) -> Conduct:
    """Adherence, intensity and attendance of every session."""
    who = who or pool()
    count = max(len(schedule.sessions), 1)
    logits = np.repeat(people.traits["adherence_logit"][:, None], count, axis=1)
    if on.adherence:
        spread = who["behaviour"]["adherence_session_sd_log_sd"]
        logits = logits + spread * block.normal("adherence session", count)[: people.count]
    if on.sites > 1:
        logits = logits + (who["site"]["adherence_sd_log_sd"] * _site_effect(block, "adherence", on, people))[:, None]
    intensity = np.ones((people.count, count))
    if on.avoidance:
        intensity = intensity * (1.0 - people.traits["avoidance"])[:, None]
    return Conduct(special.expit(logits), intensity, attendance(people, count, block, on, who))


def attendance(people: Population, sessions: int, block: Block, on: Processes, who: Pool) -> Column:
    """Whether each person still comes, (people, sessions): who has left does not return."""
    if not on.dropout:
        return np.ones((people.count, sessions), dtype=bool)
    frailty = who["dropout"]["frailty_sd"]
    hazard = session_hazard(who["dropout"]["share_percent"] / 100.0, int(who["dropout"]["course_sessions"]), frailty)
    lasts = -np.log(np.maximum(block.uniform("dropout", 1)[: people.count], 1e-300))
    reached = hazard * people.traits["dropout_frailty"][:, None] * (np.arange(sessions) + 1.0)
    return np.asarray(reached < lasts)


@cache
def session_hazard(share: float, sessions: int, frailty_sd: float) -> float:
    """Hazard per session at which the published share leaves a course, over the spread of frailties (mean one)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    frailty = np.exp(frailty_sd * nodes - 0.5 * frailty_sd**2)
    weights = weights / weights.sum()

    def excess(hazard: float) -> float:
        return float(1.0 - weights @ np.exp(-hazard * frailty * sessions)) - share

    return float(optimize.brentq(excess, 0.0, 1.0))


def given(people: Population, schedule: Schedule, block: Block, on: Processes, who: Pool | None = None) -> Column:
    """Share of each dose that was given, (people, doses): one that is not tolerated is stopped and the last."""
    who = who or pool()
    shares = np.ones((people.count, len(schedule.doses)))
    active = [k for k, dose in enumerate(schedule.doses) if dose.active]
    if not on.intolerance or not active:
        return shares
    chance = block.uniform("intolerance", len(schedule.doses))[: people.count]
    when = block.uniform("intolerance stop", len(schedule.doses))[: people.count]
    stopped = np.zeros(people.count, dtype=bool)
    for k in active:
        now = ~stopped & (chance[:, k] < who["intolerance"]["per_infusion_fraction"])
        shares[:, k] = np.where(stopped, 0.0, np.where(now, _STOPS[(when[:, k] * _STOPS.size).astype(int)], 1.0))
        stopped |= now
    return shares


def rating_errors(people: Population, day: float, block: Block, on: Processes) -> Column:
    """Errors of the two subscales at a visit, standard normal, (people, 2); the same in every arm."""
    if not on.rater_error:
        return np.zeros((people.count, 2))
    return block.error(f"ybocs {day:g}", 2)[: people.count]


def shift_points(people: Population, days: float, block: Block, on: Processes, who: Pool | None = None) -> Column:
    """What is added to a rated Y-BOCS outside the mechanism: placebo layer and rater of the site."""
    who = who or pool()
    shift = np.zeros(people.count)
    if on.placebo and days > 0:
        layer = who["placebo_layer"]
        reached = np.expm1(-days / layer["time_constant_days"]) / np.expm1(
            -layer["horizon_days"] / layer["time_constant_days"]
        )
        person = 1.0 + layer["person_sd_fraction"] * block.normal("placebo", 1)[: people.count, 0]
        shift = shift + layer[f"{on.placebo}_points"] * reached * person
    if on.sites > 1:
        shift = shift + who["site"]["rater_shift_sd_points"] * _site_effect(block, "rater", on, people)
    return shift


def _site_effect(block: Block, name: str, on: Processes, people: Population) -> Column:
    chance = generator(block.seed, Stream.PROCESS, 0, crc32(f"site {name}".encode()))
    return np.asarray(chance.standard_normal(on.sites)[people.traits["number"] % on.sites])
