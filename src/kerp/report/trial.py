"""The report of a simulated trial: what it costs, what it would show, how often it would be wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from kerp.evidence.references import cite, reference_ids
from kerp.evidence.sourced import Sourced
from kerp.report.page import Facts, Listing, Page, Section, Table, Text, render
from kerp.report.trial_figures import error_rates, power_curve, responses
from kerp.trial.check import warnings
from kerp.trial.design import Design, Planning
from kerp.trial.response import criterion
from kerp.trial.wording import design_lines, world_name

Data = Mapping[str, Any]


def trial_report(design: Design, planning: Planning, data: Data) -> str:
    """The whole page from a run's plain data (`Result.as_dict`)."""
    sections = (
        Section("cost", "What it costs", _cost(data)),
        Section("figures", "Operating characteristics", _operating(design, data)),
        Section("power", "Power against the effect", (power_curve(design, data), *_assurance(data))),
        Section("arms", "What happens in each arm", _arms(data)),
        Section("design", "The design", _design(design)),
        Section("assumptions", "What is assumed about patients", _assumptions(planning)),
        Section("provenance", "Where this comes from", _provenance(planning, data)),
    )
    subtitle = f"{data['replicates']:,} simulated trials per world, seed {data['seed']}. {design.question}"
    return render(
        Page(f"Operating characteristics: {design.title}", subtitle, sections, badges=("simulated",), runs_on=True)
    )


def _cost(data: Data) -> tuple[Text | Listing, ...]:
    return (Listing(tuple(data["first_screen"])),)


def _operating(design: Design, data: Data) -> tuple[Any, ...]:
    worlds = data["scenarios"]
    names = [_world(world) for world in worlds]
    table = Table(
        "Primary contrast in each world (Monte-Carlo standard error in brackets)",
        ("", *names),
        list(_rows(worlds)),
        numeric=tuple(range(1, len(names) + 1)),
        note=_NOTE,
    )
    return (table, error_rates(design, data), *_secondary(worlds))


def _world(world: Data) -> str:
    return world_name(world["scenario"], world["model"])


_NOTE = (
    "Differences are Y-BOCS points; negative is better for the arm with the positive weight. Type I error is "
    "measured with arm labels permuted in the same trials; safety stops and non-binding futility do not count there. "
    "A trial stopped for safety rejects nothing, so it counts against power. "
    "The worlds of a run share patients and labels: their type I errors are one observation, not several; "
    "with a few hundred trials a rate twice as high as stated is chance (see its standard error). "
    "Where the effect differs between trials, bias and coverage have no meaning."
)


def _rows(worlds: Sequence[Data]) -> Iterator[list[str]]:
    primary = [world["contrasts"][0] for world in worlds]
    for title, key, digits in (
        ("true difference, points", "truth", 2),
        ("power for benefit", "power", 3),
        ("rejections for harm", "harm", 3),
        ("type I error, benefit", "null_benefit", 4),
        ("type I error, harm", "null_harm", 4),
        ("bias, points", "bias", 3),
        ("coverage of the 95 % interval", "coverage", 3),
        ("empirical standard error, points", "empirical_se", 3),
    ):
        yield [title, *(shown(contrast[key], digits) for contrast in primary)]
    own = (world["n_total_for_own_effect"] for world in worlds)
    yield ["patients to find the true difference", *(f"{n:,}" if n else "" for n in own)]
    yield ["model standard error, points", *(shown(contrast["model_se"], 3) for contrast in primary)]
    for title, key, digits in (
        ("expected size", "expected_size", 1),
        ("months to enrol", "months_to_enrol", 1),
        ("stopped for futility", "futility", 3),
        ("stopped for safety", "safety_stop", 3),
        ("not converged", "not_converged", 4),
    ):
        yield [title, *(shown(world[key], digits) for world in worlds)]
    yield ["people screened", *(shown(world["screened"], 1) for world in worlds)]
    for look in range(len(worlds[0]["stopped_at_look"])):
        yield [f"ended at look {look + 1}", *(shown(world["stopped_at_look"][look], 3) for world in worlds)]


def shown(figure: Data | None, digits: int) -> str:
    """A figure with its Monte-Carlo standard error; empty where it has no meaning in a world."""
    if figure is None:
        return ""
    return f"{figure['value']:.{digits}f} ({figure['mcse']:.{digits}f})"


def _secondary(worlds: Sequence[Data]) -> Iterator[Table]:
    if len(worlds[0]["contrasts"]) < 2:
        return
    rows = [
        (
            _world(world),
            contrast["id"],
            shown(contrast["truth"], 2),
            shown(contrast["power"], 3),
            shown(contrast["bias"], 3),
        )
        for world in worlds
        for contrast in world["contrasts"][1:]
    ]
    columns = ("world", "contrast", "true difference", "power, multiplicity obeyed", "bias")
    yield Table("Other contrasts", columns, rows, numeric=(2, 3, 4))


def _assurance(data: Data) -> Iterator[Text]:
    value = data["assurance_closed_form"]
    chance = (
        f"Assurance: averaged over the prior of the effect, the chance that the trial shows benefit is {value:.3f}"
    )
    why = "It is lower than power because the effect is not known to exist."
    yield Text(f"{chance} by closed form (looks and dropout not counted). {why}", tone="note")


def _arms(data: Data) -> tuple[Any, ...]:
    columns = (
        "arm", "people per trial", "mean at endpoint", "mean change", "endpoint seen", "infusion stopped",
        "psychotic reaction", "rescue", "believes active",
    )  # fmt: skip
    blocks: list[Any] = []
    for world in data["scenarios"]:
        rows = [
            (
                arm["id"],
                shown(arm["people"], 1),
                shown(arm["endpoint_mean"], 2),
                shown(arm["change_mean"], 2),
                *(shown(arm[key], 3) for key in _SHARES),
            )
            for arm in world["arms"]
        ]
        blocks.append(Table(_world(world), columns, rows, numeric=tuple(range(1, len(columns)))))
    definitions = (f"{name}: {criterion(name).definition}" for name in data["scenarios"][0]["arms"][0]["response"])
    return (*blocks, responses(data), Listing(tuple(definitions)))


_SHARES = ("with_endpoint", "infusion_stopped", "psychotic_reaction", "rescued", "believes_active")


def _design(design: Design) -> tuple[Any, ...]:
    notes = [item.message + (f" ({item.found})" if item.found else "") for item in warnings(design)]
    facts = Facts(tuple((name.strip(), text) for name, text in design_lines(design)))
    return (facts, *(Text(note, tone="warning") for note in notes))


def _assumptions(planning: Planning) -> tuple[Table, ...]:
    rows = []
    for item in fields(planning):
        value = getattr(planning, item.name)
        if isinstance(value, Sourced):
            name = item.name.replace("_", " ")
            rows.append((name, f"{value.value:g}", value.unit, str(value.mark), value.source, value.note))
    caption = f"{planning.title} ({planning.id})"
    return (Table(caption, ("", "value", "unit", "mark", "source", "note"), rows, numeric=(1,)),)


def _provenance(planning: Planning, data: Data) -> tuple[Any, ...]:
    keys = (
        "design",
        "design_digest",
        "planning",
        "planning_digest",
        "kerp_version",
        "seed",
        "replicates",
    )
    values = [getattr(planning, item.name) for item in fields(planning)]
    named = {part for value in values if isinstance(value, Sourced) for part in value.source.split("; ")}
    known = sorted(named & set(reference_ids()))
    return (
        Facts(tuple((key.replace("_", " "), data[key]) for key in keys)),
        Text("The same design, assumptions and seed give the same figures for any number of workers."),
        Listing(tuple(cite(known).split("\n\n")) if known else ()),
    )
