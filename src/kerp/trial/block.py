"""One block of simulated trials, as a pure function of its task: the unit that is sent to workers and cached."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from kerp.base.seeds import Stream, generator
from kerp.trial import course
from kerp.trial.assign import Ints, allocate, strata_of
from kerp.trial.design import Design
from kerp.trial.regression import Estimates, Tables, estimate, regressors, residual_variance
from kerp.trial.response import Seen, criterion, rated_improvement, responds
from kerp.trial.scenario import NORMAL, Scenario
from kerp.trial.sizing import design_residual_sd
from kerp.trial.tally import Tally
from kerp.trial.testing import Looks, Verdict, judge, looks_of, reestimated_sizes, safety_stop
from kerp.trial.world import world_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
CELLS = 400_000  # ratings of one block: enough to be fast, little enough to be kept in memory
MOST_TRIALS = 250
VIRTUAL = 2048  # virtual patients of one block: they are drawn and stepped in batches of this size
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Task:
    """Block `number` of a run: `wanted` of its trials count, all are drawn (draws depend on the shape)."""

    scenario: Scenario
    root: int
    number: int
    wanted: int
    truth: tuple[float, ...]


def most_patients(design: Design) -> int:
    """Participants a trial may need."""
    if design.reestimation is None:
        return design.size.n_total
    per_round = sum(design.shares)
    return int(design.reestimation.max_factor * design.size.n_total) // per_round * per_round


def trials_per_block(scenario: Scenario) -> int:
    """Fixed by the design and the kind of world alone, never by workers or replicates."""
    patients = most_patients(scenario.design)
    if scenario.model != NORMAL:
        return max(1, VIRTUAL // patients)
    cells = patients * len(scenario.design.endpoint.visit_days)
    return int(min(MOST_TRIALS, max(10, CELLS // cells)))


def tasks(scenario: Scenario, root: int, replicates: int, truth: tuple[float, ...]) -> list[Task]:
    """The blocks of a run."""
    size = trials_per_block(scenario)
    starts = range(0, replicates, size)
    return [Task(scenario, root, number, min(size, replicates - start), truth) for number, start in enumerate(starts)]


def run_block(task: Task) -> Tally:
    """Simulate, analyse and add up one block."""
    trials = simulate_block(task)
    design = task.scenario.design
    included, sizes = _included(task.scenario, trials.tables)
    looks = looks_of(design, design.size.n_total)
    actual = [_at_look(design, trials.tables, looks, k, included) for k in range(len(looks.sizes))]
    verdict = judge(design, looks, lambda k: actual[k], obey_futility=True)
    shuffled = replace(trials.tables, arms=trials.permuted)
    null = judge(
        design, looks, lambda k: _at_look(design, shuffled, looks, k, included), obey_futility=_binding(design)
    )
    return _count(task, trials, _Outcome(looks, actual, verdict, null, sizes))


@dataclass(frozen=True, slots=True)
class Trials:
    """Simulated trials of a block: what the analysis sees, labels of the permuted null, and what only we know."""

    tables: Tables
    permuted: Ints
    flags: course.Flags
    endpoint: Floats
    cgi_i: Ints
    month: Floats
    screened: Ints


@dataclass(frozen=True, slots=True)
class _Outcome:
    looks: Looks
    estimates: list[Estimates]
    verdict: Verdict
    null: Verdict
    sizes: Ints


def simulate_block(task: Task) -> Trials:
    """Participants, allocation, outcomes and what reaches the table."""
    scenario, design = task.scenario, task.scenario.design
    count, patients = trials_per_block(scenario), most_patients(design)
    chance = generator(task.root, Stream.ALLOCATION, task.number)
    levels, stratum = strata_of(design, chance, count, patients)
    arms, permuted = allocate(design, chance, stratum), allocate(design, chance, stratum)
    world = world_of(scenario)
    people = world.draw(scenario, task.root, task.number, count, patients)
    processes = course.draw_chance(scenario, task.root, task.number, count, patients)
    flags = course.events(scenario, processes, arms)
    latent = world.outcomes(scenario, people, arms, ~flags.stopped)
    ratings = course.rated(scenario, latent, processes, flags, arms)
    seen = course.observed(scenario, processes, flags)
    keep = slice(0, task.wanted)
    baseline = np.round(people.baseline) if scenario.layers.rounding else people.baseline
    tables = Tables(baseline[keep], ratings[keep], seen[keep], arms[keep], levels[keep])
    flags = course.Flags(flags.stopped[keep], flags.rescued[keep], flags.psychotic[keep], flags.believes[keep])
    visit = design.endpoint.visit_days.index(design.endpoint.day)
    endpoint = ratings[keep][..., visit]
    error = generator(task.root, Stream.MEASUREMENT, task.number, 1).standard_normal(baseline.shape)[keep]
    cgi_i = rated_improvement(tables.baseline, endpoint, error)
    return Trials(tables, permuted[keep], flags, endpoint, cgi_i, processes.month[keep], processes.screened[keep])


def _binding(design: Design) -> bool:
    """Alpha is stated with non-binding futility overruled, so the null is judged that way."""
    return design.interim is not None and design.interim.binding


def _included(scenario: Scenario, tables: Tables) -> tuple[Bools, Ints]:
    """Which participants a trial enrols (t, n) and how many that are (t,)."""
    design = scenario.design
    trials, patients = tables.arms.shape
    sizes = np.full(trials, design.size.n_total)
    if design.reestimation is not None:
        sizes = _reestimate(scenario, tables)
    return np.arange(patients) < sizes[:, None], sizes


def _reestimate(scenario: Scenario, tables: Tables) -> Ints:
    """The blinded look: residual variance given baseline and strata, arms unknown."""
    design = scenario.design
    assert design.reestimation is not None
    first = round(design.reestimation.at_fraction * design.size.n_total)
    blind = replace(design, arms=design.arms[:1])
    visit = design.endpoint.visit_days.index(design.endpoint.day)
    window = slice(0, first)
    t = tables
    early = Tables(
        t.baseline[:, window], t.ratings[:, window], t.observed[:, window], t.arms[:, window], t.levels[:, window]
    )
    x = regressors(blind, early)
    variance = residual_variance(x, early.ratings[..., visit], early.observed[..., visit])
    planned = (design.size.effect_sd or 1.0) * design_residual_sd(scenario.planning)
    return reestimated_sizes(design, planned, variance)


def _at_look(design: Design, tables: Tables, looks: Looks, k: int, included: Bools) -> Estimates:
    """The analysis with everyone enrolled by a look; the last look has all who are enrolled at all."""
    inside = included
    if k < looks.last:
        inside = included & (np.arange(included.shape[1]) < looks.sizes[k])
    return estimate(design, replace(tables, observed=tables.observed & inside[..., None]))


def _count(task: Task, trials: Trials, outcome: _Outcome) -> Tally:
    design, verdict = task.scenario.design, outcome.verdict
    stop_at = _safety(design, trials)
    reached = np.asarray([*outcome.looks.sizes[:-1], 0])[verdict.look]
    planned = np.where(verdict.look == outcome.looks.last, outcome.sizes, reached)
    halted = stop_at < planned
    size = np.where(halted, stop_at, planned)
    tally: Tally = {
        "trials": float(len(size)),
        "size": float(size.sum()),
        "size2": float((size.astype(float) ** 2).sum()),
        "halted": float(halted.sum()),
        **_enrolment(trials, size),
        "futile": float((verdict.futile & ~halted).sum()),
        "stopped_at": _sums(verdict.look[:, None] == np.arange(len(outcome.looks.sizes))),
        "benefit": _sums(verdict.benefit & ~halted[:, None]),
        "harm": _sums(verdict.harm & ~halted[:, None]),
        "null_benefit": _sums(outcome.null.benefit),
        "null_harm": _sums(outcome.null.harm),
    }
    chosen = _chosen(outcome.estimates, verdict.look)
    return tally | _accuracy(chosen, np.asarray(task.truth)) | _people(task.scenario, trials, size)


def _enrolment(trials: Trials, size: Ints) -> Tally:
    """Months until the last participant came, and how many people were screened for them."""
    last = np.maximum(size - 1, 0)[:, None]
    months = np.take_along_axis(trials.month, last, axis=1)
    screened = np.take_along_axis(trials.screened, last, axis=1)
    return {
        "months": float(months.sum()),
        "months2": float((months**2).sum()),
        "screened": float(screened.sum()),
        "screened2": float((screened.astype(float) ** 2).sum()),
    }


def _safety(design: Design, trials: Trials) -> Ints:
    """Participants enrolled when any rule stops the trial (t,)."""
    trial_count, patients = trials.tables.arms.shape
    happened = {"infusion stopped for distress": trials.flags.stopped, "psychotic reaction": trials.flags.psychotic}
    first = np.full(trial_count, patients + 1)
    for rule in design.safety:
        event = happened.get(rule.event)
        if event is not None:
            first = np.minimum(first, safety_stop(rule, event, trials.tables.arms, len(design.arms)))
    return first


def _chosen(estimates: list[Estimates], look: Ints) -> Estimates:
    """The estimates of the look at which each trial stopped."""
    rows = np.arange(len(look))
    parts = [
        np.stack([getattr(e, name) for e in estimates])[look, rows] for name in ("estimate", "se", "df", "fitted")
    ]
    return Estimates(*parts)


def _accuracy(found: Estimates, truth: Floats) -> Tally:
    """Sums behind bias, coverage and standard errors, over fitted trials; errors are kept around the truth."""
    fitted = found.fitted[:, None]
    error = np.where(fitted, found.estimate - truth, 0.0)
    se = np.where(fitted, found.se, 0.0)
    reach = -stdtrit(np.where(fitted, found.df, 1.0), (1.0 - CONFIDENCE) / 2.0) * se
    return {
        "fitted": float(found.fitted.sum()),
        "error": _sums(error),
        "error2": _sums(error**2),
        "se": _sums(se),
        "se2": _sums(se**2),
        "se4": _sums(se**4),
        "covered": _sums(fitted & (np.abs(error) <= reach)),
    }


def _people(scenario: Scenario, trials: Trials, size: Ints) -> Tally:
    """Counts by arm: participants, outcomes that reached the table, responses, events, beliefs."""
    design, tables, flags = scenario.design, trials.tables, trials.flags
    enrolled = np.arange(tables.arms.shape[1]) < size[:, None]
    members = [enrolled & (tables.arms == arm) for arm in range(len(design.arms))]
    visit = design.endpoint.visit_days.index(design.endpoint.day)
    seen = tables.observed[..., visit]

    def by_arm(what: Any) -> list[float]:
        return [float((member & what).sum()) for member in members]

    tally: Tally = {
        "people": by_arm(np.ones_like(enrolled)),
        "people2": _sums(np.stack([member.sum(axis=1) for member in members], axis=-1) ** 2),
        "with_endpoint": by_arm(seen),
        "stopped": by_arm(flags.stopped),
        "psychotic": by_arm(flags.psychotic),
        "rescued": by_arm(flags.rescued),
        "believes": by_arm(flags.believes),
        **_sums_by_trial("endpoint", trials.endpoint, [member & seen for member in members]),
        **_sums_by_trial("change", trials.endpoint - tables.baseline, [member & seen for member in members]),
    }
    rated = Seen(tables.baseline, trials.endpoint, trials.cgi_i)
    for name in design.endpoint.response_rules:
        met = responds(criterion(name).rule, rated) & seen & ~flags.psychotic
        tally[f"response {name}"] = by_arm(met)
    return tally


def _sums_by_trial(name: str, score: Floats, members: list[Bools]) -> Tally:
    """Sums behind the mean score of an arm and its error: patients of one trial share therapists and sites."""
    count = np.stack([member.sum(axis=1) for member in members], axis=-1).astype(float)  # (t, a)
    sums = np.stack([np.where(member, score, 0.0).sum(axis=1) for member in members], axis=-1)
    return {
        f"{name}_sum": _sums(sums),
        f"{name}_sum2": _sums(sums**2),
        f"{name}_cross": _sums(sums * count),
        f"{name}_count2": _sums(count**2),
    }


def _sums(values: Any) -> list[float]:
    return [float(value) for value in np.asarray(values, dtype=float).sum(axis=0)]
