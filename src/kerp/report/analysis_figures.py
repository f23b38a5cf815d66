"""Pictures of a trial's results: flow, trajectories, estimates side by side, residuals. Grey-safe, numbers beside."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.report.page import Figure, Table, inline_svg

Data = dict[str, Any]
INK, SOFT = "#0b5c7a", "#51606f"
REASONS = 4  # told in the picture; all of them stand in the table
LOOKS = (("#0b5c7a", "-", "o"), ("#b4581a", "--", "s"), ("#51606f", "-.", "^"), ("#7a5c8a", ":", "D"))


def trajectories(rows: Sequence[Data], label: str) -> Figure:
    """Observed means with one SD by arm, and each participant's own line behind them."""

    def draw(axis: Any) -> None:
        for row, (colour, dash, marker) in zip(rows, LOOKS, strict=False):
            for line in row["lines"]:
                axis.plot([x for x, _ in line], [y for _, y in line], color=colour, alpha=0.18, linewidth=0.7)
            shown = [p for p in row["points"] if p["mean"] is not None]
            days, means = [p["day"] for p in shown], [p["mean"] for p in shown]
            spread = [p["sd"] or 0.0 for p in shown]
            style: Any = {"color": colour, "linestyle": dash, "marker": marker, "capsize": 3, "linewidth": 1.8}
            axis.errorbar(days, means, yerr=spread, label=row["arm"], **style)
        axis.set(xlabel="study day", ylabel=label, ylim=(0, None))
        axis.legend(frameon=False)

    numbers = [
        (row["arm"], p["visit"], p["n"], _one_decimal(p["mean"]), _one_decimal(p["sd"]))
        for row in rows
        for p in row["points"]
    ]
    table = Table("Observed scores", ("arm", "visit", "n", "mean", "SD"), numbers, numeric=(2, 3, 4))
    text = "; ".join(
        f"{row['arm']}: " + ", ".join(f"{p['visit']} {p['mean']:.1f}" for p in row["points"] if p["mean"] is not None)
        for row in rows
    )
    caption = f"{label} over time. Points are observed means with one standard deviation, thin lines participants."
    return Figure(svg(draw, (7.0, 3.6), "trajectories"), caption, text, (table,))


def _one_decimal(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f}"


def flow(rows: Sequence[Data], screening: Data) -> Figure:
    """Participant flow in the stages of CONSORT 2010: enrolment on top, then one column for each arm."""
    arms = list(rows[0]["by_arm"])
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    texts = {stage: [_stage(rows, stage, arm) for arm in arms] for stage in stages}
    heights = [max(text.count("\n") for text in texts[stage]) + 1 for stage in stages]
    enrolment = [f"assessed for eligibility: {screening['assessed']}", f"randomised: {screening['randomised']}"]

    def draw(axis: Any) -> None:
        axis.set_axis_off()
        axis.set(xlim=(-0.55, len(arms) - 0.45), ylim=(-sum(heights) - 1.75 * len(stages) - 0.2, 6.4))
        middle = (len(arms) - 1) / 2
        _box(axis, middle, 5.6, enrolment[0])
        _box(axis, middle + 0.42, 3.4, _excluded(screening), align="left")
        _arrow(axis, middle, 5.0, 1.7)
        axis.annotate("", (middle + 0.41, 3.4), (middle, 3.4), arrowprops={"arrowstyle": "->", "color": SOFT})
        _box(axis, middle, 1.0, enrolment[1])
        _stage_rows(axis, arms, stages, texts, heights)

    numbers = [(row["stage"], row["step"], *row["by_arm"].values()) for row in rows]
    table = Table("Participants at each step", ("stage", "step", *arms), numbers, numeric=range(2, len(arms) + 2))
    why = Table(
        "Assessed and not randomised", ("reason", "people"), tuple(screening["reasons"].items()), numeric=(1,)
    )
    said = [*enrolment, _excluded(screening).replace("\n", ", ")]
    said += [f"{r['step']}: " + ", ".join(f"{a} {n}" for a, n in r["by_arm"].items()) for r in rows]
    size = (max(2.7 * len(arms), 5.4) + 0.6, 0.19 * (sum(heights) + 1.75 * len(stages) + 6.6))
    return Figure(svg(draw, size, "flow"), "Flow of participants (CONSORT 2010).", "; ".join(said), (table, why))


def _stage_rows(
    axis: Any, arms: Sequence[str], stages: Sequence[str], texts: dict[str, list[str]], heights: Sequence[int]
) -> None:
    """The boxes below the lottery: one row for each stage, one column for each arm."""
    top = -0.9
    for stage, height in zip(stages, heights, strict=True):
        for x, text in enumerate(texts[stage]):
            if stage == stages[0]:
                axis.annotate(
                    "", (x, top + 0.3), ((len(arms) - 1) / 2, 0.45), arrowprops={"arrowstyle": "->", "color": SOFT}
                )
            else:
                _arrow(axis, x, top + 1.35, top + 0.3)
            _box(axis, x, top - height / 2, text)
        top -= height + 1.75


def _stage(rows: Sequence[Data], stage: str, arm: str) -> str:
    """The text of one box: counts of nobody are left out where they are reasons."""
    own = [row for row in rows if row["stage"] == stage]
    kept = [row for row in own if row["by_arm"][arm] or not row["step"].startswith("left out")]
    head = [f"{arm}"] if stage == rows[0]["stage"] else []
    return "\n".join(head + [f"{row['step']}: {row['by_arm'][arm]}" for row in kept])


def _excluded(screening: Data) -> str:
    ordered = sorted(screening["reasons"].items(), key=lambda item: -item[1])
    reasons = [f"{name.replace('_', ' ')}: {count}" for name, count in ordered[:REASONS]]
    if more := sum(count for _, count in ordered[REASONS:]):
        reasons.append(f"other reasons: {more}")
    return "\n".join([f"not randomised: {screening['not_randomised']}", *reasons])


def _box(axis: Any, x: float, y: float, text: str, align: str = "center") -> None:
    box: Any = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": SOFT}
    axis.text(x, y, text, ha=align, va="center", bbox=box, fontsize=8, linespacing=1.35)


def _arrow(axis: Any, x: float, start: float, end: float) -> None:
    arrow: Any = {"arrowstyle": "->", "color": SOFT}
    axis.annotate("", (x, end), (x, start), arrowprops=arrow)


def estimates(rows: Sequence[tuple[str, Data]], label: str) -> Figure:
    """Primary, supplementary and sensitivity estimates on one axis."""
    shown = [(name, row) for name, row in rows if row.get("estimate") is not None and row.get("ci_low") is not None]

    def draw(axis: Any) -> None:
        for y, (_, row) in enumerate(shown):
            axis.plot([row["ci_low"], row["ci_high"]], [-y, -y], color=INK, linewidth=2 if y == 0 else 1.2)
            axis.plot(row["estimate"], -y, "s" if y == 0 else "o", color=INK, markersize=6)
        axis.axvline(0, color=SOFT, linewidth=0.8)
        axis.set_yticks([-y for y in range(len(shown))], [name for name, _ in shown])
        axis.set(
            xlabel=f"difference in {label}, points (below 0 favours the compared arm)", ylim=(-len(shown) + 0.4, 0.6)
        )

    numbers = [
        (name, *(f"{r[k]:.2f}" for k in ("estimate", "ci_low", "ci_high")), f"{r['p']:.4f}") for name, r in shown
    ]
    table = Table(
        "Estimates", ("analysis", "difference", "95 % low", "95 % high", "p"), numbers, numeric=(1, 2, 3, 4)
    )
    description = "; ".join(
        f"{name}: {r['estimate']:.2f} ({r['ci_low']:.2f} to {r['ci_high']:.2f})" for name, r in shown
    )
    caption = "The same contrast under each analysis: the primary one on top."
    return Figure(svg(draw, (7.4, 0.42 * len(shown) + 1.0), "estimates"), caption, description, (table,))


def residuals(checks: Sequence[Data]) -> Figure:
    """Standardised residuals against normal quantiles, all visits."""

    def draw(axis: Any) -> None:
        for row, (colour, _, marker) in zip(checks, LOOKS * 4, strict=False):
            axis.plot(
                row["normal_quantiles"],
                row["residuals"],
                marker,
                color=colour,
                markersize=3,
                label=f"day {row['visit']}",
                alpha=0.8,
            )
        axis.axline((0, 0), slope=1, color=SOFT, linewidth=0.8)
        axis.set(xlabel="normal quantile", ylabel="standardised residual")
        axis.legend(frameon=False, fontsize=8)

    rows = [(r["visit"], r["n"], r["skewness"], r["excess_kurtosis"], r["farthest"]) for r in checks]
    table = Table("Residuals", ("day", "n", "skewness", "excess kurtosis", "farthest"), rows, numeric=(1, 2, 3, 4))
    description = "; ".join(f"day {r['visit']}: farthest {r['farthest']:.1f} SD" for r in checks)
    return Figure(
        svg(draw, (5.0, 3.4), "residuals"), "Residuals of the model against the normal.", description, (table,)
    )


def svg(draw: Callable[[Any], None], size: tuple[float, float], prefix: str) -> str:
    """One axis as inline SVG; the same data give the same bytes."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure as Canvas
    except ModuleNotFoundError:
        way = "pip install 'kerp[report]'"
        raise KerpError(Fault("matplotlib is not installed", allowed="the extra `report`", ways_out=(way,))) from None
    settings: Any = {"svg.hashsalt": "kerp", "svg.fonttype": "none", "font.size": 9}
    settings |= {"axes.spines.top": False, "axes.spines.right": False}
    with rc_context(settings):
        figure = Canvas(figsize=size, layout="constrained")
        draw(figure.subplots())
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return inline_svg(stream.getvalue(), prefix)
