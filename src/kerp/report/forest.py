"""Forest plot: every comparison with its interval and weight, the pooled effect, where the next trial may fall."""

from __future__ import annotations

import io
from typing import Any

from kerp.base.errors import Fault, KerpError


def forest_svg(table: dict[str, Any], title: str) -> str:
    """SVG of `analysis.meta_output.pooled_table`. Needs the extra `kerp[report]`."""
    return _draw(table, title, "svg").decode()


def forest_image(table: dict[str, Any], title: str, suffix: str) -> bytes:
    """The same as SVG, PNG or PDF bytes."""
    if suffix not in ("svg", "png", "pdf"):
        raise KerpError(Fault("a figure is written as svg, png or pdf", field="--plot", found=suffix))
    return _draw(table, title, suffix)


def _draw(table: dict[str, Any], title: str, kind: str) -> bytes:
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise KerpError(Fault("figures need an extra", ways_out=("pip install kerp[report]",))) from None
    rows = sorted(table["comparisons"], key=lambda row: row["effect"])
    with rc_context({"svg.hashsalt": "kerp", "font.size": 8, "svg.fonttype": "none"}):
        figure = Figure(figsize=(8.2, 1.6 + 0.21 * (len(rows) + 4)), layout="constrained")
        axes = figure.subplots()
        _studies(axes, rows, table)
        _summaries(axes, table)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel("Hedges' g, 95 % interval (positive favours treatment)")
        axes.axvline(0, color="0.4", lw=0.8)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        stream = io.BytesIO()
        figure.savefig(stream, format=kind, metadata={"Date": None} if kind == "svg" else None, dpi=150)
    return stream.getvalue()


def _studies(axes: Any, rows: list[dict[str, Any]], table: dict[str, Any]) -> None:
    for y, row in enumerate(rows, start=3):
        axes.plot([row["ci_low"], row["ci_high"]], [y, y], color="0.25", lw=1)
        axes.plot(row["effect"], y, "s", color="0.1", ms=2 + 28 * row["weight"])
        text = f"{row['effect']:.2f} ({row['ci_low']:.2f}, {row['ci_high']:.2f})  {100 * row['weight']:.1f} %"
        axes.annotate(text, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=7)
    axes.set_ylim(-2.6, len(rows) + 3.4)
    ticks = [(y, f"{row['label']} v {row['control']}") for y, row in enumerate(rows, start=3)]
    ticks.append((1, f"pooled, k = {len(rows)}"))
    ticks += [(0, "next trial (prediction)")] if table["prediction_low"] is not None else []
    ticks += [(-1, "without outliers")] if table["without_outliers"] else []
    axes.set_yticks([y for y, _ in ticks], [label for _, label in ticks])


def _summaries(axes: Any, table: dict[str, Any]) -> None:
    _diamond(axes, table, 1, "0.15")
    if table["prediction_low"] is not None:
        axes.plot([table["prediction_low"], table["prediction_high"]], [0, 0], color="0.15", lw=3)
    if table["without_outliers"]:
        _diamond(axes, table["without_outliers"], -1, "0.55")


def _diamond(axes: Any, pooled: dict[str, Any], y: float, shade: str) -> None:
    low, middle, high = pooled["ci_low"], pooled["estimate"], pooled["ci_high"]
    axes.fill([low, middle, high, middle], [y, y + 0.38, y, y - 0.38], color=shade)
    text = f"{middle:.2f} ({low:.2f}, {high:.2f})"
    axes.annotate(text, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=7, weight="bold")
