"""Arms compared: one self-contained page, figures as SVG and PNG, and the table behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerp.base.textfile import write_atomic
from kerp.learning.indices import ABERRANT_UPDATE, PARADOXICAL
from kerp.learning.priors import priors, read_with
from kerp.report.figure import COLOURS, SOFT, STYLES, drawn
from kerp.report.page import Facts, Figure, Listing, Page, Section, Table, Text, inline_svg, render
from kerp.simulate.population.compare import ArmResult, Comparison
from kerp.simulate.population.readings import AFTER_DOSE
from kerp.simulate.population.table import as_csv, as_parquet, contract, known

NOT_EVIDENCE = (
    "Output of a model under assumed values. No controlled trial has run exposure during the infusion; the signs of "
    "the drug couplings are open, and the ranking of the arms follows them."
)
Picture = tuple[str, bytes]
_SCALE_NAMES = {
    "ocdvas": "OCD-VAS, 0-10", "felt_effect": "felt effect, 0-10", "cadss": "CADSS, 0-92", "yboccs": "YBOCCS, 0-40",
    "expectancy": "expectancy, 0-100", "urge": "urge, 0-100", "rituals_per_h": "overt rituals per hour",
}  # fmt: skip


def write_comparison(result: Comparison, folder: Path | str) -> None:
    """Write everything. All of it is made before the first file is touched; each file is written whole or not."""
    pictures = figures(result)
    files: dict[str, str | bytes] = {"index.html": render(page(result, pictures)), "comparison.csv": as_csv(result)}
    files["comparison.json"] = json.dumps(contract(result), allow_nan=False)
    table = as_parquet(result)
    if table is not None:
        files["comparison.parquet"] = table
    for name, (svg, png) in pictures.items():
        files |= {f"{name}.svg": svg, f"{name}.png": png}
    for name, content in files.items():
        write_atomic(Path(folder) / name, content)


def figures(result: Comparison) -> dict[str, Picture]:
    """Every picture by name."""
    found = {"ybocs": _trajectories(result), "bands": _bands(result), "loop": _loop(result)}
    found["response"] = _responses(result)
    if any(arm.suds for arm in result.arms.values()):
        found["suds"] = _suds(result)
    return found


def page(result: Comparison, pictures: Mapping[str, Picture]) -> Page:
    """The page of a comparison."""
    request = result.request
    who = "the reference person" if request.typical else f"{result.people} virtual patients, seed {request.seed}"
    sections = (
        Section("what", "What was run", (Text(NOT_EVIDENCE, "warning"), Facts(_facts(result)))),
        Section("severity", "Severity over time", _severity(result, pictures)),
        Section("session", "Distress in session", _distress(result, pictures)),
        Section("scales", "Other scales", _scales(result)),
        Section("response", "Response by its definitions", _response(result, pictures)),
        Section("loop", "The loop number", _loop_blocks(result, pictures)),
        Section("safety", "Safety indices", _safety(result)),
        Section("assumptions", "What it rests on", _assumptions(result)),
    )
    subtitle = f"{request.model.card.title}; {who}"
    return Page("Arms compared", subtitle, sections, badges=("simulated", "model output"))


def _facts(result: Comparison) -> list[tuple[str, Any]]:
    request = result.request
    on = request.processes
    processes = [
        name
        for name in ("adherence", "avoidance", "dropout", "intolerance", "rater_error", "digits")
        if getattr(on, name)
    ]
    return [
        ("model", f"{request.model.card.id}: {request.model.card.title}"),
        ("parameters set", ", ".join(f"{k} = {v:g}" for k, v in request.fixed.items()) or "none"),
        ("processes", "none" if request.typical else ", ".join(processes) or "none"),
        ("placebo layer", on.placebo or "off"),
        ("arms", "; ".join(f"{arm.id} ({arm.contact_h:.3g} h of exposure)" for arm in result.arms.values())),
    ]


def _lines(result: Comparison) -> list[tuple[ArmResult, str, Any]]:
    arms = list(result.arms.values())
    return [(arm, COLOURS[k % len(COLOURS)], STYLES[k % len(STYLES)]) for k, arm in enumerate(arms)]


def _trajectories(result: Comparison) -> Picture:
    def draw(_: Any, axis: Any) -> None:
        for arm, colour, style in _lines(result):
            axis.plot(arm.latent.at, arm.latent.mean, color=colour, linestyle=style, linewidth=1.8, label=arm.id)
            axis.errorbar(arm.rated.at, arm.rated.mean, fmt="o", color=colour, markersize=3.5, alpha=0.75)
        axis.set(xlabel="day", ylabel="Y-BOCS", ylim=(0, None))
        axis.legend(ncols=2)

    return drawn(draw, (7.2, 3.9))


def _bands(result: Comparison) -> Picture:
    arms = _lines(result)
    columns = min(3, len(arms))
    count = -(-len(arms) // columns)

    def draw(_: Any, axes: Any) -> None:
        for k, axis in enumerate(axes.flat):
            axis.set_visible(k < len(arms))
        for (arm, colour, _style), axis in zip(arms, axes.flat, strict=False):
            days, bands = arm.latent.at, arm.latent.bands
            axis.fill_between(days, bands[0.05], bands[0.95], color=colour, alpha=0.15, linewidth=0, label="90 %")
            axis.fill_between(days, bands[0.25], bands[0.75], color=colour, alpha=0.35, linewidth=0, label="50 %")
            axis.plot(days, arm.latent.mean, color="black", linewidth=1.3, label="mean")
            axis.set(title=arm.id, ylim=(0, 40))
            axis.set_xlabel("day")
        axes.flat[0].legend(loc="lower left")
        axes.flat[0].set_ylabel("Y-BOCS, last 24 h")

    return drawn(draw, (7.2, 2.4 * count + 0.3), count, columns, sharey=True, squeeze=False)


def _suds(result: Comparison) -> Picture:
    arms = [line for line in _lines(result) if line[0].suds]

    def draw(_: Any, axes: Any) -> None:
        for axis, which, title in ((axes[0], 0, "first exposure session"), (axes[1], -1, "last exposure session")):
            for arm, colour, style in arms:
                full = [track for track in arm.suds.values() if len(track.at) > 1]
                if not full:
                    continue
                track = full[which]
                axis.plot(track.at, track.mean, color=colour, linestyle=style, linewidth=1.6, label=arm.id)
                axis.fill_between(
                    track.at, track.bands[0.25], track.bands[0.75], color=colour, alpha=0.1, linewidth=0
                )
            axis.set(title=title, xlabel="minute of the session", ylim=(0, 100))
        axes[0].set_ylabel("SUDS (mean, 50 % band)")
        axes[1].legend()

    return drawn(draw, (7.2, 3.3), 1, 2, sharey=True)


def _responses(result: Comparison) -> Picture:
    wanted = ("farris2013.response", "farris2013.remission")

    def draw(_: Any, axes: Any) -> None:
        for axis, name in zip(axes, wanted, strict=True):
            for arm, colour, style in _lines(result):
                shares = [100.0 * share for share in arm.responses[name]]
                axis.plot(arm.rated.at, shares, "o", color=colour, linestyle=style, markersize=3.5, label=arm.id)
            axis.set(title=_words(result)[name], xlabel="day", ylim=(-2, 102))
        axes[0].set_ylabel("per cent of people, rated")
        axes[0].legend()

    return drawn(draw, (7.2, 3.1), 1, 2, sharey=True)


def _loop(result: Comparison) -> Picture:
    def draw(_: Any, axis: Any) -> None:
        axis.axhline(1.0, color=SOFT, linewidth=0.9)
        for arm, colour, style in _lines(result):
            axis.plot(arm.loop_number.at, arm.loop_number.bands[0.5], color=colour, linestyle=style, label=arm.id)
        axis.set(xlabel="day", ylabel="loop number R, median\n(above 1: safety is being lost)")
        axis.legend(ncols=2)

    return drawn(draw, (7.2, 3.0))


def _words(result: Comparison) -> dict[str, str]:
    from kerp.simulate.population.outcome import definitions

    found = {name: one.definition.rstrip(".") for name, one in definitions().items()}
    return {name: found.get(name, name) for arm in result.arms.values() for name in arm.responses}


def _figure(pictures: Mapping[str, Picture], name: str, caption: str, description: str, table: Table) -> Figure:
    return Figure(inline_svg(pictures[name][0], name), caption, description, (table,))


def _severity(result: Comparison, pictures: Mapping[str, Picture]) -> tuple[Any, ...]:
    days = (1, 3, 7, 14, 28, 42)
    rows = []
    for arm in result.arms.values():
        place = {day: k for k, day in enumerate(arm.latent.at)}
        start = arm.latent.mean[place[0]] if 0 in place else arm.latent.mean[0]
        cells = [_cell(arm.latent.mean[place[day]], start) if day in place else None for day in days]
        rows.append((arm.id, f"{start:.1f}", *cells))
    table = Table("Mean Y-BOCS over the last 24 h", ("arm", "day 0", *(f"day {d}" for d in days)), rows)
    rated = [
        (arm.id, f"{day:g}", f"{mean:.1f}", f"{sd:.1f}", valid)
        for arm in result.arms.values()
        for day, mean, sd, valid in zip(arm.rated.at, arm.rated.mean, arm.rated.sd, arm.rated_valid, strict=True)
    ]
    visits = Table("Rated Y-BOCS", ("arm", "day", "mean", "SD", "week free of doses"), rated, numeric=(1, 2, 3))
    text = Text(
        "Lines: what the model holds over the last 24 h. Points: what a rater would write down about the past week, "
        "in whole points, with the rater's error. A week with a dose in it cannot be rated for analysis."
    )
    caption = "Y-BOCS over time: latent (lines) and rated (points)."
    bands = Figure(
        inline_svg(pictures["bands"][0], "bands"), "Bands of the people, not of the mean.",
        "One panel per arm: mean, 50 per cent and 90 per cent bands of the latent Y-BOCS.", (),
    )  # fmt: skip
    figure = _figure(pictures, "ybocs", caption, "Mean Y-BOCS of every arm by day; numbers below.", table)
    return (text, figure, bands, visits)


def _cell(mean: float, start: float) -> str:
    return f"{mean:.1f} ({100 * (mean / start - 1):+.0f} %)"


def _distress(result: Comparison, pictures: Mapping[str, Picture]) -> tuple[Any, ...]:
    rows = []
    for arm in result.arms.values():
        for index, track in arm.suds.items():
            if index in {0, max(arm.suds)} and track.mean:
                rows.append(
                    (arm.id, index + 1, f"{track.mean[0]:.0f}", f"{max(track.mean):.0f}", f"{track.mean[-1]:.0f}")
                )
    columns = ("arm", "session", "first reading", "highest", "last reading")
    table = Table("SUDS of the first and last session, means of those present", columns, rows, numeric=(1, 2, 3, 4))
    if "suds" not in pictures:
        return (Text("No arm has an exposure session."),)
    caption = "Distress within the first and the last session. Under the drug, dissociation adds its own distress."
    return (_figure(pictures, "suds", caption, "SUDS by minute of the session; numbers below.", table),)


def _scales(result: Comparison) -> tuple[Any, ...]:
    """What the other scales show after the first dose and in the first and last session; the table holds all."""
    acute, minutes = _after_dose(result)
    within = []
    for arm in result.arms.values():
        for session in sorted({min(arm.suds), max(arm.suds)}) if arm.suds else ():
            for name in ("expectancy", "urge", "rituals_per_h", "ocdvas"):
                track = arm.scales[f"{name}_session_{session + 1}"]
                ends = (f"{track.mean[0]:.1f}", f"{track.mean[-1]:.1f}")
                within.append((arm.id, _SCALE_NAMES[name], session + 1, *ends))
    text = Text(
        "Means. The OCD-VAS is read outside exposure; the YBOCCS asks about the past hour, so its first readings "
        "still hold the time before the dose. Felt effect and CADSS are apart from SUDS, or learning and "
        "dissociation could not be told apart. Midazolam and saline have no effect in this model. comparison.csv "
        "holds every reading, the A-YBOCS of every day, SUDS as answered, and rituals counted."
    )
    at = tuple(f"{minute:g} min" for minute in minutes)
    numeric = tuple(range(2, 2 + len(at)))
    first = Table("After the first dose, minutes since T0: mean (SD)", ("arm", "scale", *at), acute, numeric=numeric)
    columns = ("arm", "scale", "session", "at its start", "at its end")
    return (text, first, Table("In the first and the last session", columns, within, numeric=(2, 3, 4)))


def _after_dose(result: Comparison) -> tuple[list[tuple[Any, ...]], list[float]]:
    """One row per arm and scale, one column per minute that any arm reads."""
    tracks = [
        (arm.id, name, dict(zip(track.at, zip(track.mean, track.sd, strict=True), strict=True)))
        for arm in result.arms.values()
        for name in AFTER_DOSE
        if (track := arm.scales.get(f"{name}_dose_1"))
    ]
    minutes = sorted({minute for _, _, read in tracks for minute in read})
    rows = []
    for arm_id, name, read in tracks:
        cells = [f"{read[m][0]:.1f} ({read[m][1]:.1f})" if m in read else None for m in minutes]
        rows.append((arm_id, _SCALE_NAMES[name], *cells))
    return rows, minutes


def _response(result: Comparison, pictures: Mapping[str, Picture]) -> tuple[Any, ...]:
    words = _words(result)
    rows = []
    for arm in result.arms.values():
        for name, shares in arm.responses.items():
            cells = "; ".join(f"day {d:g}: {100 * s:.0f} %" for d, s in zip(arm.rated.at, shares, strict=True))
            rows.append((arm.id, name, words[name], cells))
    table = Table("Shares of people by definition", ("arm", "rule", "definition", "share at the visits"), rows)
    text = Text("Rules that need a global impression (CGI) are not counted: the model holds none.", "note")
    caption = "Response and remission at the rated visits."
    figure = _figure(pictures, "response", caption, "Shares by day and arm; every definition in the table.", table)
    return (text, figure)


def _loop_blocks(result: Comparison, pictures: Mapping[str, Picture]) -> tuple[Any, ...]:
    rows = [
        (arm.id, *(known(arm.loop_number.bands[share][-1]) for share in (0.25, 0.5, 0.75)))
        for arm in result.arms.values()
    ]
    table = Table("Loop number on the last day", ("arm", "25 %", "median", "75 %"), rows, numeric=(1, 2, 3))
    text = Text(
        "R is the loss of safety between sessions over its gain: 1 in an untreated patient, above 1 while safety is "
        "being lost, below 1 while recovery goes on by itself."
    )
    caption = "The loop number."
    return (text, _figure(pictures, "loop", caption, "Median loop number by day; last day below.", table))


def _safety(result: Comparison) -> tuple[Any, ...]:
    rows = [(arm.id, name, known(value)) for arm in result.arms.values() for name, value in arm.safety.items()]
    table = Table("Means over people (shares between 0 and 1)", ("arm", "index", "value"), rows, numeric=(2,))
    return (Text(ABERRANT_UPDATE, "note"), Text(PARADOXICAL, "note"), table)


def _prior(name: str, result: Comparison) -> str:
    """The prior that was drawn from, or what the model or the reader put in its place."""
    request = result.request
    held = dict(request.model.card.fixed) | dict(request.fixed)
    sign = {1: ", at or above 0", -1: ", at or below 0"}.get(request.model.card.signs.get(name, 0), "")
    return f"held at {held[name]:g}" if name in held else priors()[name].text() + sign


def _assumptions(result: Comparison) -> tuple[Any, ...]:
    model, book = result.request.model, priors()
    rows = [
        (name, book[name].meaning, _prior(name, result), book[name].typical.unit, str(book[name].typical.mark),
         book[name].typical.source)
        for name in read_with(model)
    ]  # fmt: skip
    columns = ("parameter", "meaning", "prior", "unit", "mark", "source")
    equations = Listing([f"{one.name}: {one.formula}" for one in model.card.equations])
    return (Text(model.card.idea), equations, Table("Parameters", columns, rows))
