"""A whole run: worlds, their truths, blocks computed or taken from the cache, figures. Stops and goes on anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kerp import __version__
from kerp.base.digest import digest, plain
from kerp.base.errors import Fault, KerpError
from kerp.trial.block import Task, tasks, trials_per_block
from kerp.trial.cache import BlockCache
from kerp.trial.design import Design, Planning
from kerp.trial.execute import Executor
from kerp.trial.operating import Operating, assurance, curve, operating
from kerp.trial.scenario import NORMAL, Layers, Scenario
from kerp.trial.sizing import costs, design_residual_sd
from kerp.trial.tally import Tally, total
from kerp.trial.truth import Truth, truth_of
from kerp.trial.wording import cost_lines

Progress = Callable[[int, int], None]  # blocks done, blocks in all
MOST_REPLICATES = 1_000_000
CURVE_POINTS = 25


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
            "trials_per_block": trials_per_block(design),
            "analysis": plain(design.endpoint),
            "first_screen": cost_lines(planning, costs(design, planning)),
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
        "truth_population": world.truth.population,
        "arm_truths": dict(zip((arm.id for arm in scenario.design.arms), world.truth.arm_means, strict=True)),
    }


def normal_scenarios(design: Design, planning: Planning, effect_sd: float, layers: Layers) -> list[Scenario]:
    """The planned effect, and the effect drawn anew in each trial from its prior (assurance)."""
    sd = design_residual_sd(planning)
    common = {"design": design, "planning": planning, "layers": layers, "model": NORMAL}
    return [
        Scenario(name="planned effect", effect_points=effect_sd * sd, **common),  # type: ignore[arg-type]
        Scenario(
            name="assurance",
            effect_points=planning.assurance_mean.value * sd,
            effect_spread_points=planning.assurance_sd.value * sd,
            **common,  # type: ignore[arg-type]
        ),
    ]


def scenarios_for(
    design: Design, planning: Planning, models: Sequence[str], effect_sd: float | None, layers: Layers
) -> list[Scenario]:
    """The worlds of a run: for `normal` (the default) the planned effect and the prior; one for each mechanism."""
    effect = effect_sd if effect_sd is not None else design.size.effect_sd
    found: list[Scenario] = []
    for model in models or (NORMAL,):
        if model == NORMAL:
            found += normal_scenarios(design, planning, 1.0 if effect is None else effect, layers)
        else:
            found.append(
                Scenario(name=model, design=design, planning=planning, effect_points=0.0, model=model, layers=layers)
            )
    return found


def simulate(
    scenarios: Sequence[Scenario],
    root: int,
    replicates: int,
    executor: Executor,
    cache: BlockCache | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run every world. Blocks found in the cache are not computed again; the result is the same either way."""
    _check(root, replicates, scenarios)
    worlds = tuple(_world(scenario, root, replicates) for scenario in scenarios)
    every = [task for world in worlds for task in world.blocks]
    found = _computed(every, executor, cache, progress or _silent)
    tallies, start = [], 0
    for world in worlds:
        tallies.append(total(found[start : start + len(world.blocks)]))
        start += len(world.blocks)
    figures = tuple(operating(w.scenario, tally, w.truth) for w, tally in zip(worlds, tallies, strict=True))
    design, planning = scenarios[0].design, scenarios[0].planning
    return Result(design, planning, root, replicates, worlds, figures, tuple(tallies))


def _silent(done: int, due: int) -> None:
    """Say nothing."""


def _world(scenario: Scenario, root: int, replicates: int) -> WorldRun:
    truth = truth_of(scenario, root)
    return WorldRun(scenario, truth, tuple(tasks(scenario, root, replicates, truth.contrasts)))


def _computed(every: list[Task], executor: Executor, cache: BlockCache | None, progress: Progress) -> list[Tally]:
    known = {} if cache is None else {i: tally for i, task in enumerate(every) if (tally := cache.get(task))}
    missing = [index for index in range(len(every)) if index not in known]
    progress(len(known), len(every))
    if missing:
        for position, tally in executor([every[index] for index in missing]):
            index = missing[position]
            known[index] = tally
            if cache is not None:
                cache.put(every[index], tally)
            progress(len(known), len(every))
    return [known[index] for index in range(len(every))]


def _check(root: int, replicates: int, scenarios: Sequence[Scenario]) -> None:
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
