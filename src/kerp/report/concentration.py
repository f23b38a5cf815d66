"""The picture of a simulated administration: concentration at its sampling site, felt effect, caveats."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.base.textfile import write_atomic
from kerp.drug.simulation import Simulation

INK, BAND, DOSE = "#1f4e79", "#1f4e79", "#b0b0b0"
FORMATS = ("svg", "png", "pdf")


def save_plot(simulation: Simulation, path: Path | str) -> None:
    """Write the picture as SVG, PNG or PDF, by the file's ending."""
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise KerpError(Fault("unknown picture format", where=str(path), found=kind, allowed=", ".join(FORMATS)))
    write_atomic(path, picture(simulation, kind))


def picture(simulation: Simulation, kind: str) -> bytes:
    """The picture's bytes; the same simulation gives the same bytes."""
    matplotlib, plt = _matplotlib()
    with matplotlib.rc_context(
        {"svg.hashsalt": "kerp", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure, axes = plt.subplots(2, 1, figsize=(6.5, 6.2), sharex=True, height_ratios=(3, 2))
        _concentration(axes[0], simulation)
        _effect(axes[1], simulation)
        note = _note(simulation)
        lines = 1 + note.count("\n")
        figure.tight_layout(rect=(0, 0.02 + 0.018 * lines, 1, 1))
        figure.text(0.02, 0.012, note, fontsize=6.5, color="#444444", va="bottom")
        stream = io.BytesIO()
        stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
        figure.savefig(stream, format=kind, dpi=160, metadata=stamp)
        plt.close(figure)
    return stream.getvalue()


def _concentration(axis: Any, simulation: Simulation) -> None:
    curve = simulation.typical
    _shade_doses(axis, simulation)
    if simulation.bands is not None:
        _bands(axis, curve.times_min, simulation.bands)
    axis.plot(curve.times_min, curve.ng_per_ml[0], color=INK, linewidth=1.8, label="typical person")
    axis.set_ylabel(f"{curve.analyte} (ng/mL)\n{curve.sampling_site}")
    axis.set_ylim(bottom=0)
    axis.set_xlim(min(0.0, float(curve.times_min[0])), float(curve.times_min[-1]) or 1.0)
    axis.set_title(f"{simulation.request.model.name}: {_given(simulation)}", loc="left", fontsize=9.5)
    axis.legend(frameon=False, fontsize=7.5)


def _effect(axis: Any, simulation: Simulation) -> None:
    effect = simulation.effect
    _shade_doses(axis, simulation)
    if simulation.effect_bands is not None:
        _bands(axis, effect.times_min, simulation.effect_bands)
    axis.plot(effect.times_min, effect.felt[0], color=INK, linewidth=1.8)
    axis.set_ylim(0, 1)
    axis.set_ylabel("felt effect (0 to 1)\nmodel output")
    axis.set_xlabel("minutes after administration onset")


def _bands(axis: Any, times: Any, bands: Any) -> None:
    axis.fill_between(times, bands[0], bands[4], color=BAND, alpha=0.14, linewidth=0, label="90 % of people")
    axis.fill_between(times, bands[1], bands[3], color=BAND, alpha=0.24, linewidth=0, label="50 % of people")


def _shade_doses(axis: Any, simulation: Simulation) -> None:
    for index, segment in enumerate(simulation.request.doses.segments):
        label = "infusion" if index == 0 else None
        axis.axvspan(segment.from_min, segment.to_min, color=DOSE, alpha=0.25, linewidth=0, label=label)
    for index, device in enumerate(simulation.request.doses.devices):
        axis.axvline(
            device.at_min, color="#777777", linewidth=1, linestyle=":", label="device" if index == 0 else None
        )


def _given(simulation: Simulation) -> str:
    doses, agent = simulation.request.doses, simulation.request.model.agent
    if doses.devices:
        return f"{doses.dose_mg:g} mg {agent}, {len(doses.devices)} device(s)"
    return f"{doses.dose_mg:g} mg {agent}, end of infusion {doses.end_min:g} min"


def _note(simulation: Simulation) -> str:
    request = simulation.request
    who = f"{request.weight_kg:g} kg, {request.age_years:g} years, {request.ancestry}."
    drawn = f" Bands: {request.population} drawn people, seed {request.seed}." if request.population else ""
    said = f"Effect link: {simulation.link.name} ({simulation.link.status})."
    sources = f"Sources: {', '.join(simulation.sources)}."
    paragraphs = (who + drawn + " " + said, *simulation.caveats, sources)
    return "\n".join("\n".join(textwrap.wrap(paragraph, 126)) for paragraph in paragraphs)


def _matplotlib() -> tuple[Any, Any]:
    try:
        import matplotlib
    except ImportError:
        way = "pip install 'kerp[report]'"
        raise KerpError(Fault("matplotlib is not installed", allowed="the extra `report`", ways_out=(way,))) from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return matplotlib, plt
