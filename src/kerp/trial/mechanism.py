"""The world of the mechanism: virtual patients live each arm of a design, and a rater scores what is left.

A model is written `ID` or `ID:parameter=value,parameter=+,parameter=-`: a value fixes a parameter for everyone, a
sign folds its prior to one side, so that mechanisms of opposite sign can stand side by side on the same patients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from kerp.base.errors import Fault, KerpError
from kerp.base.seeds import Stream, generator
from kerp.drug.route import devices_for, load_route
from kerp.learning.contract import LearningModel
from kerp.learning.priors import fitting, names, priors
from kerp.learning.registry import model as learning_model
from kerp.learning.scales import constant, ybocs_mean
from kerp.patient.draw import draw as draw_people
from kerp.patient.pool import pool
from kerp.patient.record import Population
from kerp.patient.response import MODEL_OF_ROUTE, Response, drug_inputs, response_to
from kerp.patient.values import values_of
from kerp.protocol.schedule import PlannedDose, PlannedSession, Schedule
from kerp.simulate.population.grid import Grid, build, window_weights
from kerp.simulate.population.stepping import Conduct, Trajectory, run
from kerp.trial.assign import Ints
from kerp.trial.design import ROUTE_OF, Arm, Design
from kerp.trial.scenario import Scenario

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
POOL = "adult-ocd"
TOGETHER = 1024  # people stepped at once: keeps drug inputs within some tens of megabytes
AGENT = {drug: "ketamine" if drug == "ketamine-low-dose" else drug for drug in ROUTE_OF}


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A learning model with parameters fixed or folded to one sign for everyone."""

    model: str
    fixed: tuple[tuple[str, float], ...] = ()
    signs: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Patients:
    """Virtual patients of a block: baseline (t, n), traits (t n), chance of sessions (t n, k), rater (t n, v, 2)."""

    baseline: Floats
    people: Population
    session: Floats
    rater: Floats
    drug: Response


@lru_cache(maxsize=32)
def mechanism(text: str) -> Mechanism:
    """Read `core:kappa_a=0.8,kappa_c=-`; an unknown model, parameter or value is refused with what is known."""
    name, _, rest = text.partition(":")
    model = learning_model(name)
    fixed: dict[str, float] = {}
    signs: dict[str, int] = {}
    for part in (piece for piece in rest.split(",") if piece):
        parameter, equals, value = part.partition("=")
        if value in {"+", "-"}:
            signs[parameter.strip()] = 1 if value == "+" else -1
        elif equals and _is_number(value):
            fixed[parameter.strip()] = float(value)
        else:
            allowed = "parameter=number, parameter=+ or parameter=-"
            raise KerpError(Fault("this is no setting of a parameter", field="model", found=part, allowed=allowed))
    fitting(model, fixed)
    if unsigned := sorted(name for name in signs if name not in priors() or priors()[name].lower >= 0):
        allowed = ", ".join(name for name, prior in priors().items() if prior.lower < 0)
        raise KerpError(
            Fault("this parameter has no sign to choose", "", None, "model", ", ".join(unsigned), allowed)
        )
    if against := sorted(one for one, sign in signs.items() if not _can_have(model, one, sign)):
        message = f"the model {name} does not read this parameter, holds it, or keeps it on the other side of 0"
        raise KerpError(Fault(message, field="model", found=", ".join(against), ways_out=("kerp model list",)))
    return Mechanism(name, tuple(sorted(fixed.items())), tuple(sorted(signs.items())))


def _can_have(model: LearningModel, name: str, sign: int) -> bool:
    card = model.card
    return name in names(model) and name not in card.fixed and card.signs.get(name, sign) == sign


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def schedule_of(design: Design, arm: Arm) -> Schedule:
    """The course of one arm: doses, sessions and probes, followed to the last visit."""
    sessions = [PlannedSession(day=day, minutes=arm.erp_min, source="kerp") for day in arm.erp_days]
    sessions += [PlannedSession(day=p.day, minutes=p.length_min, kind="probe", source="kerp") for p in design.probes]
    return Schedule(
        id=f"{design.id}:{arm.id}",
        title=arm.title,
        idea=design.question,
        claims=(),
        follow_up_days=int(np.ceil(design.endpoint.visit_days[-1])),
        doses=tuple(_dose(arm, day) for day in arm.dose_days),
        sessions=tuple(sorted(sessions, key=lambda session: session.day)),
        rating_days=design.endpoint.visit_days,
    )


def _dose(arm: Arm, day: float) -> PlannedDose:
    amount = arm.dose.value if arm.dose else 0.0
    route = load_route(ROUTE_OF[arm.drug])
    plain = PlannedDose(day=day, agent=AGENT[arm.drug], route=route.id, source="kerp")
    if route.device is not None:
        each, gap = route.device.dose.value, route.device.min_gap.value
        return replace(plain, devices=devices_for(route, amount), device_mg=each, device_gap_min=gap)
    assert route.duration is not None, "an infusion has a duration"
    return replace(plain, dose_mg_per_kg=amount, duration_min=route.duration.usual.value)


@dataclass(frozen=True, slots=True)
class MechanismWorld:
    """Virtual patients of the learning model that the scenario names."""

    def draw(self, scenario: Scenario, root: int, block: int, trials: int, patients: int) -> Patients:
        chosen = mechanism(scenario.model)
        seed = int(np.random.SeedSequence(root, spawn_key=(int(Stream.PATIENT), block)).generate_state(1)[0])
        people = draw_people(trials * patients, seed, dict(chosen.fixed), dict(chosen.signs), POOL)
        sessions = max(len(arm.erp_days) + len(scenario.design.probes) for arm in scenario.design.arms)
        chance = generator(root, Stream.PROCESS, block, 1).standard_normal((trials * patients, max(sessions, 1)))
        visits = len(scenario.design.endpoint.visit_days)
        rater = generator(root, Stream.MEASUREMENT, block).standard_normal((trials * patients, visits, 2))
        baseline = np.asarray(people.traits["baseline_ybocs"], dtype=float).reshape(trials, patients)
        return Patients(baseline, people, chance, rater, _response(scenario.design, people))

    def outcomes(self, scenario: Scenario, patients: Patients, arms: Ints, on_drug: Bools) -> Floats:
        design = scenario.design
        flat, on = arms.ravel(), on_drug.ravel()
        out = np.empty((flat.size, len(design.endpoint.visit_days)))
        for index, arm in enumerate(design.arms):
            rows = np.flatnonzero(flat == index)
            for part in _pieces(rows):
                out[part] = _live(scenario, schedule_of(design, arm), patients, part, on[part])
        return out.reshape(*arms.shape, -1)


def _response(design: Design, people: Population) -> Response:
    """Kinetics and effect of everyone, drawn once for all arms: in another arm they are still the same person."""
    doses = [dose for arm in design.arms for dose in schedule_of(design, arm).doses if dose.active]
    return response_to(people, tuple(dict.fromkeys(MODEL_OF_ROUTE[dose.route] for dose in doses)))


def _of_rows(drug: Response, rows: Ints) -> Response:
    kinetics = {
        name: {key: _some(value, rows) for key, value in table.items()} for name, table in drug.kinetics.items()
    }
    return Response(kinetics, _some(drug.c50, rows))


def _some(column: Floats, rows: Ints) -> Floats:
    return column[rows] if np.ndim(column) else column


def _pieces(rows: Ints) -> Iterator[Ints]:
    for start in range(0, len(rows), TOGETHER):
        yield rows[start : start + TOGETHER]


def _live(scenario: Scenario, schedule: Schedule, patients: Patients, rows: Ints, on_drug: Bools) -> Floats:
    """Latent Y-BOCS with the rater's error (people, visits) of some patients after one arm's course."""
    chosen = mechanism(scenario.model)
    fixed = dict(chosen.fixed)
    people, model, grid = patients.people.rows(rows), learning_model(chosen.model), build(schedule)
    given = _given(on_drug, len(schedule.doses))
    drug = drug_inputs(people, schedule, grid.moments(), given, fixed, _of_rows(patients.drug, rows))
    conduct = _conduct(people, patients.session[rows], len(schedule.sessions))
    lived = run(model, model.parameters(np, values_of(model, people, fixed)), grid, drug, conduct)
    scores = np.stack([_score(lived, grid, day, people) for day in schedule.rating_days], axis=1)
    error = patients.rater[rows].sum(axis=-1) * constant("ybocs", "rater_sd") / np.sqrt(2.0)
    return np.asarray(scores + error)


def _given(on_drug: Bools, doses: int) -> Floats:
    """Share of each dose that was given: whoever stops an infusion has had about half of it, at the first dose."""
    limits = pool(POOL)["intolerance"]
    stopped_share = 0.5 * (limits["earliest_stop_fraction"] + limits["latest_stop_fraction"])
    given = np.ones((on_drug.size, doses))
    if doses:
        given[~on_drug, 0] = stopped_share
        given[~on_drug, 1:] = 0.0
    return given


def _conduct(people: Population, chance: Floats, sessions: int) -> Conduct:
    habits: Mapping[str, float] = pool(POOL)["behaviour"]
    logit = people.traits["adherence_logit"][:, None] + habits["adherence_session_sd_log_sd"] * chance[:, :sessions]
    intensity = np.repeat(1.0 - people.traits["avoidance"][:, None], sessions, axis=1)
    return Conduct(np.asarray(expit(logit)), intensity, np.ones((people.count, sessions), dtype=bool))


def _score(lived: Trajectory, grid: Grid, day: float, people: Population) -> Floats:
    """Mean of the scale over its window, on the person's own use of it; before day 0 the untreated state holds."""
    weights, untreated = window_weights(grid, day, constant("ybocs", "window"))
    assert untreated < 1e-9, "every visit comes at least a week after the first day"
    obsession, compulsion = ybocs_mean(weights @ lived.obsession, weights @ lived.compulsion)
    return np.asarray(people.traits["scale_use"] * (obsession + compulsion))
