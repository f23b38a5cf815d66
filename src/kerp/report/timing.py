"""The timing surface: gains by start and dose in every world of couplings, with limits of the session drawn in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerp.base.textfile import write_atomic
from kerp.report.figure import COLOURS, SOFT, STYLES, drawn
from kerp.report.page import Facts, Figure, Page, Section, Table, Text, inline_svg, render
from kerp.simulate.population.timing import Timing

# Where the session's limits are drawn: marks for the eye on the figure, not rules of safety.
LIMITS = {"SUDS": 80.0, "sensitised": 0.10, "felt": 0.5, "systolic": 15.0}
COLUMNS = (
    "couplings", "dose_mg_per_kg", "offset_min", "gain_points", "gain_se", "suds_max_mean", "sensitised_share",
    "felt_max_mean", "systolic_rise_mmhg",
)  # fmt: skip


def write_timing(result: Timing, folder: Path | str) -> None:
    """Page, figure and table; all made before the first is written."""
    svg, png = picture(result)
    files: dict[str, str | bytes] = {
        "index.html": render(_page(result, svg)),
        "timing.svg": svg,
        "timing.png": png,
        "timing.csv": _csv(result),
        "timing.json": json.dumps(as_data(result), allow_nan=False),
    }
    for name, content in files.items():
        write_atomic(Path(folder) / name, content)


def as_data(result: Timing) -> dict[str, Any]:
    """The whole surface as plain data."""
    request = result.request
    surfaces = {
        name: {
            "title": one.title,
            "gain_points": one.gain,
            "gain_se": one.gain_se,
            "suds_max_mean": one.suds_max,
            "sensitised_share": one.sensitised,
        }
        for name, one in result.surfaces.items()
    }
    return {
        "model": request.model.card.id,
        "n": request.count,
        "seed": request.seed,
        "day": request.day,
        "offsets_min": list(request.offsets_min),
        "doses_mg_per_kg": list(request.doses_mg_per_kg),
        "gain_without_drug": result.without_drug,
        "felt_max_mean": result.felt,
        "systolic_rise_mmhg": result.systolic_mmhg,
        "couplings": surfaces,
    }


def rows(result: Timing) -> Iterator[tuple[Any, ...]]:
    """One row per world, dose and start."""
    request = result.request
    for name, one in result.surfaces.items():
        for d, dose in enumerate(request.doses_mg_per_kg):
            for o, offset in enumerate(request.offsets_min):
                shown = [one.gain, one.gain_se, one.suds_max, one.sensitised, result.felt, result.systolic_mmhg]
                yield (name, dose, offset, *(grid[d][o] for grid in shown))


def _csv(result: Timing) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows(result))
    return stream.getvalue()


def picture(result: Timing) -> tuple[str, bytes]:
    """Gains above, one line per world (2 SE); below what the session asks of the patient, with its limits."""
    doses = result.request.doses_mg_per_kg
    at = result.request.offsets_min

    def draw(_: Any, axes: Any) -> None:
        for d, dose in enumerate(doses):
            gain, load = axes[0][d], axes[1][d]
            gain.axhline(result.without_drug, color=SOFT, linewidth=0.9, linestyle=":")
            for k, one in enumerate(result.surfaces.values()):
                colour, style = COLOURS[k], STYLES[k]
                low = [g - 2 * e for g, e in zip(one.gain[d], one.gain_se[d], strict=True)]
                high = [g + 2 * e for g, e in zip(one.gain[d], one.gain_se[d], strict=True)]
                gain.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
                gain.plot(at, one.gain[d], color=colour, linestyle=style, label=one.title)
            gain.set(title=f"{dose:g} mg/kg over 40 min")
            _load(load, result, d)
        axes[0][0].set_ylabel(f"Y-BOCS points gained\nby day {result.request.day} (2 SE)")
        axes[0][-1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axes[1][0].set_ylabel("share of its mark")
        axes[1][-1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axes[1][0].set_ylim(bottom=0)

    return drawn(draw, (3.0 * len(doses) + 3.6, 5.6), 2, len(doses), squeeze=False, sharex=True, sharey="row")


def _load(axis: Any, result: Timing, d: int) -> None:
    """Felt effect, blood pressure, distress and sensitisation, each against its mark."""
    at, first = result.request.offsets_min, next(iter(result.surfaces.values()))
    shown = (
        (f"felt effect (mark {LIMITS['felt']:g} of 1)", result.felt[d], LIMITS["felt"]),
        (f"systolic rise (mark {LIMITS['systolic']:g} mmHg)", result.systolic_mmhg[d], LIMITS["systolic"]),
        (f"highest SUDS, {first.title} (mark {LIMITS['SUDS']:g})", first.suds_max[d], LIMITS["SUDS"]),
        (
            f"sensitised, {first.title} (mark {100 * LIMITS['sensitised']:g} %)",
            first.sensitised[d],
            LIMITS["sensitised"],
        ),
    )
    axis.axhline(1.0, color=SOFT, linewidth=0.9)
    for k, (label, values, mark) in enumerate(shown):
        axis.plot(at, [v / mark for v in values], color=COLOURS[-1 - k], linestyle=STYLES[k], label=label)
    axis.set_xlabel("start of exposure minus T0, min")


def _page(result: Timing, svg: str) -> Page:
    request = result.request
    warning = Text(
        "Output of a model under assumed values. Which start is best follows the signs of the couplings, which "
        "nobody knows; the marks in the lower panels are for the eye and gate nothing.",
        "warning",
    )
    facts = Facts(
        [
            ("model", request.model.card.id),
            ("people", f"{request.count}, seed {request.seed}, the same at every place"),
            (
                "session",
                f"{request.session_min:g} min; worth {result.without_drug:.2f} points without drug",
            ),
        ]
    )
    figure = Figure(
        inline_svg(svg, "timing"),
        "What one exposure session is worth by its start, one line per world of couplings that this model can be in.",
        "Points gained against the start of exposure, one line per set of couplings; below, load against marks, "
        f"distress and sensitisation in the first world ({next(iter(result.surfaces.values())).title}).",
        (Table("The whole surface", COLUMNS, [tuple(row) for row in rows(result)], numeric=tuple(range(1, 9))),),
    )
    sections = (Section("surface", "The surface", (warning, facts, figure)),)
    return Page("Timing of one exposure", "relative to the start of administration", sections, badges=("simulated",))
