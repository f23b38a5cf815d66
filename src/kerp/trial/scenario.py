"""What is true in a simulated world: a design, the patients it meets, the effect, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, fields

from kerp.base.errors import Fault, KerpError
from kerp.trial.design import Design, Planning

NORMAL = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """What is laid over the bare outcomes. All off: correlated normal data with a known truth.

    selection: entry by a screening score (regression to the mean); dropout; events: stopped infusions, rescue,
    psychotic reaction; belief: expectancy by what was felt; therapists, sites: effects shared by their patients;
    rounding: whole points within 0 to 40.
    """

    selection: bool = True
    dropout: bool = True
    events: bool = True
    belief: bool = True
    therapists: bool = True
    sites: bool = True
    rounding: bool = True


NO_LAYERS = Layers(**{item.name: False for item in fields(Layers)})


def layers_named(text: str) -> Layers:
    """`all`, `none`, or names with commas between."""
    if text == "all":
        return Layers()
    known = [item.name for item in fields(Layers)]
    wanted = [] if text == "none" else [part.strip() for part in text.split(",")]
    if unknown := sorted(set(wanted) - set(known)):
        allowed = ", ".join(["all", "none", *known])
        raise KerpError(Fault("there is no such layer", field="layers", found=", ".join(unknown), allowed=allowed))
    return Layers(**{name: name in wanted for name in known})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One simulated world.

    `effect_points` is the benefit of the primary contrast at the endpoint in Y-BOCS points (positive is better);
    with `effect_spread_points` each trial draws its own benefit from a normal around it (assurance). `sd_factor` is
    the true residual SD over the planned one. `model` is `normal`, or a mechanism, whose effect comes out of its own
    equations.
    """

    name: str
    design: Design
    planning: Planning
    effect_points: float
    effect_spread_points: float = 0.0
    sd_factor: float = 1.0
    model: str = NORMAL
    layers: Layers = Layers()
