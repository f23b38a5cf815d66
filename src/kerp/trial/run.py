"""A whole run: worlds, their truths, blocks computed or taken from the cache, figures. Stops and goes on anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kerp import __version__
from kerp.base.digest import digest, plain
from kerp.base.errors import Fault, KerpError
from kerp.trial.block import Task, tasks, trials_per_block
from kerp.trial.cache import BlockCache
from kerp.trial.check import warnings
from kerp.trial.design import Design, Planning
from kerp.trial.execute import Executor
from kerp.trial.operating import Figure, Operating, assurance, curve, operating
from kerp.trial.power import MOST_PATIENTS, contrast_n_total, contrast_power, variance_factor
from kerp.trial.scenario import NORMAL, Layers, Scenario
from kerp.trial.sizing import alpha_one_sided, costs, design_residual_sd
from kerp.trial.tally import Tally, total
from kerp.trial.truth import Truth, truth_from, truth_tasks
from kerp.trial.wording import first_screen
from kerp.trial.work import Work

Progress = Callable[[int, int], None]  # blocks done, blocks in all
MOST_REPLICATES = 1_000_000
CURVE_POINTS = 25
CURVE_FACTORS = (0.0, 0.5, 1.5)  # of the planned effect
# the acute couplings of the core model, all in favour of exposure under the drug, and all against it
OPPOSITE_SIGNS = "opposite"
OPPOSITE = {"drug favours": "core:kappa_a=+,kappa_c=+", "drug opposes": "core:kappa_a=-,kappa_c=-"}


@dataclass(frozen=True, slots=True)
class WorldRun:
    """One world of a run with its truth and its blocks."""

    scenario: Scenario
    truth: Truth
    blocks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """Everything a run found."""

    design: Design
    planning: Planning
    root: int
    replicates: int
    worlds: tuple[WorldRun, ...]
    figures: tuple[Operating, ...]
    tallies: tuple[Tally, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: figures, provenance, and the first screen."""
        design, planning = self.design, self.planning
        sd = design_residual_sd(planning)
        points = tuple(2.0 * sd * k / (CURVE_POINTS - 1) for k in range(CURVE_POINTS))
        return {
            "design": design.id,
            "design_digest": digest(design),
            "planning": planning.id,
            "planning_digest": digest(planning),
            "kerp_version": __version__,
            "seed": self.root,
            "replicates": self.replicates,
            "analysis": plain(design.endpoint),
            "warnings": [plain(note) for note in warnings(design)],
            "first_screen": first_screen(design, planning, costs(design, planning)),
            "residual_sd_points": sd,
            "assurance_closed_form": assurance(design, planning),
            "power_curve_closed_form": curve(design, planning, points),
            "scenarios": [_scenario(world, found) for world, found in zip(self.worlds, self.figures, strict=True)],
        }


def _scenario(world: WorldRun, found: Operating) -> dict[str, Any]:
    scenario = world.scenario
    return {
        **plain(found),
        "effect_spread_points": scenario.effect_spread_points,
        "sd_factor": scenario.sd_factor,
        "layers": plain(scenario.layers),
        "trials_per_block": trials_per_block(scenario),
        "truth_population": world.truth.population,
        "n_total_for_own_effect": own_size(world, found),
        "arm_truths": _arm_truths(world),
    }


def _arm_truths(world: WorldRun) -> dict[str, Any]:
    """What the endpoint would be if everybody were in an arm, with its Monte-Carlo standard error."""
    ids, truth = (arm.id for arm in world.scenario.design.arms), world.truth
    return {
        arm: plain(Figure(mean, mcse)) for arm, mean, mcse in zip(ids, truth.arm_means, truth.arm_se, strict=True)
    }


def own_size(world: WorldRun, found: Operating) -> int | None:
    """Patients needed for the effect this world really has, at its own residual SD; None where there is none to find.

    The SD is the one that the model's standard error implies at the design's size.
    """
    design, primary = world.scenario.design, found.primary
    if world.scenario.effect_spread_points or abs(primary.truth.value) <= 2.0 * primary.truth.mcse:
        return None
    weights = design.weights(design.primary)
    sd = primary.model_se.value * math.sqrt(design.size.n_total / variance_factor(weights, design.shares))
    target = design.size.target_power or 0.8
    effect = max(abs(primary.truth.value) / sd, 1e-9)
    if (
        contrast_power(MOST_PATIENTS, effect, weights, design.shares, alpha_one_sided(design, design.primary))
        < target
    ):
        return None
    return contrast_n_total(effect, target, weights, design.shares, alpha_one_sided(design, design.primary))


def normal_scenarios(design: Design, planning: Planning, effect_sd: float, layers: Layers) -> list[Scenario]:
    """The planned effect, and the effect drawn anew in each trial from its prior (assurance)."""
    sd = design_residual_sd(planning)
    bare = Scenario(
        name="planned effect", design=design, planning=planning, effect_points=effect_sd * sd, layers=layers
    )
    mean, spread = planning.assurance_mean.value * sd, planning.assurance_sd.value * sd
    return [bare, replace(bare, name="assurance", effect_points=mean, effect_spread_points=spread)]


def scenarios_for(
    design: Design,
    planning: Planning,
    models: Sequence[str],
    effect_sd: float | None,
    layers: Layers,
    *,
    curve: bool = False,
) -> list[Scenario]:
    """The worlds of a run: the planned effect and the prior for `normal`, one for each mechanism.

    By default `normal` and the mechanism with opposite signs, side by side: nobody knows which sign is right.

    `curve` adds normal worlds at other multiples of the planned effect: points of a simulated power curve.
    """
    effect = next(value for value in (effect_sd, design.size.effect_sd, 1.0) if value is not None)
    found: list[Scenario] = []
    for model in models or (NORMAL, OPPOSITE_SIGNS):
        if model == NORMAL:
            worlds = normal_scenarios(design, planning, effect, layers)
            found += worlds + ([_times(worlds[0], factor) for factor in CURVE_FACTORS] if curve else [])
        else:
            named = OPPOSITE if model == OPPOSITE_SIGNS else {model: model}
            found += [_virtual(design, planning, name, text, layers) for name, text in named.items()]
    return found


def _times(world: Scenario, factor: float) -> Scenario:
    return replace(world, name=f"{factor:g} times", effect_points=factor * world.effect_points)


def _virtual(design: Design, planning: Planning, name: str, model: str, layers: Layers) -> Scenario:
    from kerp.trial.mechanism import mechanism

    mechanism(model)  # refuses what it does not know before anything is run
    return Scenario(name=name, design=design, planning=planning, effect_points=0.0, model=model, layers=layers)


def simulate(
    scenarios: Sequence[Scenario],
    root: int,
    replicates: int,
    executor: Executor,
    cache: BlockCache | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run every world. Blocks found in the cache are not computed again; the result is the same either way."""
    check_run(root, replicates, scenarios)
    parts = [truth_tasks(scenario, root) for scenario in scenarios]
    blocks = sum(-(-replicates // trials_per_block(scenario)) for scenario in scenarios)
    desk = _Desk(executor, cache, progress or _silent, sum(len(part) for part in parts) + blocks)
    truths = [truth_from(tally) for tally in desk.totals(parts)]
    pairs = zip(scenarios, truths, strict=True)
    worlds = tuple(WorldRun(s, truth, tuple(tasks(s, root, replicates, truth.contrasts))) for s, truth in pairs)
    tallies = desk.totals([world.blocks for world in worlds])
    figures = tuple(operating(w.scenario, tally, w.truth) for w, tally in zip(worlds, tallies, strict=True))
    design, planning = scenarios[0].design, scenarios[0].planning
    return Result(design, planning, root, replicates, worlds, figures, tuple(tallies))


def _silent(done: int, due: int) -> None:
    """Say nothing."""


@dataclass
class _Desk:
    """Hands out work, keeps what comes back, says how far it is."""

    executor: Executor
    cache: BlockCache | None
    progress: Progress
    due: int
    done: int = 0

    def totals(self, groups: Sequence[Sequence[Work]]) -> list[Tally]:
        """The sum of each group of tasks, computed together."""
        every = [task for group in groups for task in group]
        found = self._computed(every)
        sums, start = [], 0
        for group in groups:
            sums.append(total(found[start : start + len(group)]))
            start += len(group)
        return sums

    def _computed(self, every: list[Work]) -> list[Tally]:
        known = {i: tally for i, task in enumerate(every) if (tally := self._kept(task)) is not None}
        missing = [index for index in range(len(every)) if index not in known]
        self._report(len(known))
        if missing:
            for position, tally in self.executor([every[index] for index in missing]):
                index = missing[position]
                known[index] = tally
                if self.cache is not None:
                    self.cache.put(every[index], tally)
                self._report(1)
        return [known[index] for index in range(len(every))]

    def _kept(self, task: Work) -> Tally | None:
        return None if self.cache is None else self.cache.get(task)

    def _report(self, more: int) -> None:
        self.done += more
        self.progress(self.done, self.due)


def check_run(root: int, replicates: int, scenarios: Sequence[Scenario]) -> None:
    """Refuse a run that cannot be, with every reason, before anything is touched."""
    faults = []
    if root < 0:
        faults.append(Fault("a seed is a whole number, zero or more", field="seed", found=str(root)))
    if not 2 <= replicates <= MOST_REPLICATES:
        allowed = f"2 to {MOST_REPLICATES:,}"
        faults.append(Fault("too few or too many trials", field="replicates", found=str(replicates), allowed=allowed))
    if not scenarios:
        faults.append(Fault("there is no world to simulate"))
    if faults:
        raise KerpError(*faults)
