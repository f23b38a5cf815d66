"""Pictures of operating characteristics: power curve, error rates, responses. Readable in grey, with numbers."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.report.page import Figure, Table, inline_svg
from kerp.trial.design import Design
from kerp.trial.sizing import alpha_one_sided

Data = Mapping[str, Any]
INK, SOFT = "#0b5c7a", "#51606f"
GREYS = ("#0b5c7a", "#8fb3c2", "#d0dde3", "#51606f")
HATCHES = ("", "//", "..", "xx", "--")
TWO_SE = 2.0


def power_curve(design: Design, data: Data) -> Figure:
    """Closed-form power for benefit against the effect, with what was simulated at the planned effect."""
    points = data["power_curve_closed_form"]
    effects, powers = [p["effect_points"] for p in points], [p["power"] for p in points]
    simulated = [
        (-w["contrasts"][0]["truth"]["value"], w["contrasts"][0]["power"])
        for w in data["scenarios"]
        if not w["effect_spread_points"]
    ]

    def draw(axis: Any) -> None:
        axis.plot(effects, powers, color=INK, linewidth=2, label=f"closed form, {design.size.n_total} patients")
        for effect, power in simulated:
            axis.errorbar(
                effect, power["value"], yerr=TWO_SE * power["mcse"], fmt="o", color="black", capsize=4, markersize=5
            )
        axis.plot([], [], "o", color="black", label="simulated, at its true effect (2 SE)")
        axis.axhline(0.8, color=SOFT, linewidth=0.8, linestyle=":")
        axis.set(
            xlabel="benefit at the endpoint, Y-BOCS points",
            ylabel="power for benefit",
            ylim=(0, 1.02),
            xlim=(min([0.0, *(effect - 0.4 for effect, _ in simulated)]), max(effects)),
        )
        axis.legend(frameon=False, loc="lower right")

    rows = [(f"{p['effect_points']:.2f}", f"{p['power']:.3f}") for p in points]
    numbers = Table("Closed form", ("benefit, points", "power"), rows, numeric=(0, 1))
    caption = (
        "Power for benefit of the primary contrast at the planned size (fixed size; looks, dropout not counted)."
    )
    description = f"Power rises from {powers[0]:.3f} at no effect to {powers[-1]:.3f} at {effects[-1]:.1f} points."
    return Figure(_svg(draw, (7.0, 3.4), "power"), caption, description, (numbers,))


def error_rates(design: Design, data: Data) -> Figure:
    """Type I error and coverage against what the design states."""
    alpha = alpha_one_sided(design, design.primary)
    rows: list[tuple[str, Any, float]] = []
    for world in data["scenarios"]:
        contrast = world["contrasts"][0]
        rows += [(f"type I, benefit: {world['scenario']}", contrast["null_benefit"], alpha)]
        rows += [(f"type I, harm: {world['scenario']}", contrast["null_harm"], alpha)]
        if contrast["coverage"] is not None:
            rows += [(f"non-coverage: {world['scenario']}", _complement(contrast["coverage"]), 0.05)]

    def draw(axis: Any) -> None:
        for place, (_, figure, stated) in enumerate(rows):
            axis.errorbar(
                figure["value"], place, xerr=TWO_SE * figure["mcse"], fmt="o", color=INK, capsize=4, markersize=5
            )
            axis.plot([stated, stated], [place - 0.35, place + 0.35], color="black", linewidth=2)
        axis.set(
            yticks=range(len(rows)), yticklabels=[name for name, _, _ in rows], xlabel="rate (bar: 2 Monte-Carlo SE)"
        )
        axis.invert_yaxis()
        axis.set_xlim(left=0)

    table = [
        (name, f"{figure['value']:.4f}", f"{figure['mcse']:.4f}", f"{stated:g}") for name, figure, stated in rows
    ]
    numbers = Table("Error rates", ("", "measured", "SE", "stated"), table, numeric=(1, 2, 3))
    caption = "Measured error rates (points) against what the design states (black lines)."
    description = "; ".join(f"{name} {figure['value']:.3f} against {stated:g}" for name, figure, stated in rows)
    return Figure(_svg(draw, (7.0, 0.9 + 0.42 * len(rows)), "errors"), caption, description, (numbers,))


def responses(data: Data) -> Figure:
    """Share of responders by arm, every definition named (M14); whoever has no endpoint counts as no responder."""
    world = data["scenarios"][0]
    arms = world["arms"]
    rules = list(arms[0]["response"])
    width = 0.8 / max(len(rules), 1)

    def draw(axis: Any) -> None:
        for number, rule in enumerate(rules):
            places = [index + (number - (len(rules) - 1) / 2) * width for index in range(len(arms))]
            heights = [arm["response"][rule]["value"] for arm in arms]
            errors = [TWO_SE * arm["response"][rule]["mcse"] for arm in arms]
            style = {
                "color": GREYS[number % len(GREYS)],
                "hatch": HATCHES[number % len(HATCHES)],
                "edgecolor": "black",
            }
            axis.bar(places, heights, width, yerr=errors, label=rule, linewidth=0.6, **style)
        axis.set(xticks=range(len(arms)), xticklabels=[arm["id"] for arm in arms], ylim=(0, 1), ylabel="share")
        axis.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.02))  # in a row they are cut

    rows = [
        (arm["id"], rule, f"{f['value']:.3f}", f"{f['mcse']:.4f}")
        for arm in arms
        for rule, f in arm["response"].items()
    ]
    numbers = Table("Responders", ("arm", "definition", "share", "SE"), rows, numeric=(2, 3))
    where = f"Responders at the endpoint in the world '{world['scenario']}'"
    caption = f"{where}, by each definition; a missing endpoint is no response."
    description = "; ".join(f"{arm} {rule}: {share}" for arm, rule, share, _ in rows)
    return Figure(_svg(draw, (7.0, 3.6), "responses"), caption, description, (numbers,))


def _complement(figure: Data) -> dict[str, float]:
    return {"value": 1.0 - figure["value"], "mcse": figure["mcse"]}


def _svg(draw: Callable[[Any], None], size: tuple[float, float], prefix: str) -> str:
    """One axis as inline SVG; the same data give the same bytes."""
    try:
        import matplotlib
    except ImportError:
        way = "pip install 'kerp[report]'"
        raise KerpError(Fault("matplotlib is not installed", allowed="the extra `report`", ways_out=(way,))) from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    settings: Any = {
        "svg.hashsalt": "kerp",
        "svg.fonttype": "none",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with matplotlib.rc_context(settings):
        figure, axis = plt.subplots(figsize=size)
        draw(axis)
        figure.tight_layout()
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
        plt.close(figure)
    return inline_svg(stream.getvalue(), prefix)
