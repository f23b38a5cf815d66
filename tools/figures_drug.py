# ruff: noqa: D103, E501 - a table row and a plotting call read best on one line; figure functions are named by their figure
"""Figures and measured values of docs/validation/drug.md. Run: python tools/figures_drug.py

Every value in the table is computed here; the published ones come from tests/drug/published.py. SciPy's LSODA and
matrix exponential are the independent engines.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

ROOT = Path(__file__).parent.parent
IMAGES, PAGE = ROOT / "docs/validation/img", ROOT / "docs/validation/drug.md"
sys.path.insert(0, str(ROOT))

from kerp.drug.cadss import drawn_person, drawn_total, mean_total  # noqa: E402
from kerp.drug.effect import drawn_c50, felt_effect, load_link, pressure_rise  # noqa: E402
from kerp.drug.events import Doses, devices, infusion  # noqa: E402
from kerp.drug.forecast import EffectRule, Rating, build_panel, forecast  # noqa: E402
from kerp.drug.kinetics import EXPONENTIAL, concentration, exposure  # noqa: E402
from kerp.drug.model import DrugModel, load_model  # noqa: E402
from kerp.drug.population import draw, people, typical  # noqa: E402
from kerp.drug.route import device_gap_fault, dose_fault, load_route  # noqa: E402

MINUTES = np.arange(0.0, 241.0)
KAMP, NASAL, OTTO, SIMONS = (load_model(m) for m in ("kamp2020", "perezruixo2021", "otto2021", "simons2022"))
ADULT = people(70.0, 40.0)
BLUE, RED, GREY = "#1f4e79", "#a23b2a", "#888888"


def beside(name: str, path: Path) -> ModuleType:
    """A module of the checkout that is not part of the package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PUBLISHED = beside("drug_published", ROOT / "tests/drug/published.py")
ENGINES = beside("drug_engines", ROOT / "tests/drug/test_kinetics_engines.py")


def strata() -> list[tuple[str, float, float]]:
    """Label, per cent error of Cmax and of the 24-h area, for the 18 published strata."""
    rows = []
    for (ancestry, age, dose), (cmax, auc, _) in PUBLISHED.PEREZRUIXO_TABLE_4.items():
        found = exposure(NASAL, typical(NASAL, people(70.0, age, ancestry)), devices(dose // 28, 5, 28), 24.0)
        group = f"{ancestry}, {'18-60' if age < 60 else 'over 60'} y, {dose} mg"
        errors = 100 * (found.cmax_ng_per_ml[0] / cmax - 1), 100 * (found.auc_ng_h_per_ml[0] / auc - 1)
        rows.append((group, *map(float, errors)))
    return rows


def engines() -> tuple[float, float]:
    """Largest relative error against LSODA, and of the matrix exponential, over all models."""
    worst_ode = worst_step = 0.0
    for model_id in ("kamp2020", "otto2021", "simons2022", "perezruixo2021", "domino1984", "clements1981"):
        model = load_model(model_id)
        parameters = draw(model, people(81.0, 66.0, "asian", 20), seed=5)
        doses, times = ENGINES.dose_of(model), ENGINES.TIMES
        closed = concentration(model, parameters, doses, times).ng_per_ml
        ode = ENGINES.by_lsoda(model, parameters, 0, doses, times)
        stepped = concentration(model, parameters, doses, times, method=EXPONENTIAL).ng_per_ml
        worst_ode = max(worst_ode, float(np.abs(closed[0] / ode - 1).max()))
        worst_step = max(worst_step, float(np.abs(closed / stepped - 1).max()))
    return worst_ode, worst_step


def speed_job_means() -> tuple[float, float]:
    """Means of C(40) and C(240) of our stored recipe for the speed job."""
    job = beside("drug_benchmark", ROOT / "benchmarks/drug.py")
    model, doses, parameters = job.job_population()
    at = concentration(model, parameters, doses, [40.0, 240.0]).ng_per_ml.mean(axis=0)
    return float(at[0]), float(at[1])


def nasal_share(count: int) -> float:
    """Bioavailability in per cent: area to 60 days over the area of the same dose infused."""
    one = typical(NASAL, ADULT)
    sprayed = exposure(NASAL, one, devices(count, 5, 28), 600.0).auc_ng_h_per_ml[0]
    infused = exposure(NASAL, one, infusion(28.0 * count, 40), 600.0).auc_ng_h_per_ml[0]
    return float(100 * sprayed / infused)


def at_40(model: DrugModel, doses: Doses) -> float:
    return float(concentration(model, typical(model, ADULT), doses, [40.0]).ng_per_ml[0, 0])


def felt(model: DrugModel, doses: Doses) -> np.ndarray:
    return felt_effect(load_link(), model, typical(model, ADULT), doses, MINUTES).felt[0]


def totals(model: DrugModel, doses: Doses, route: str, count: int = 20_000) -> np.ndarray:
    c50 = drawn_c50(load_link(), count, 7)
    effect = felt_effect(load_link(), model, draw(model, people(70.0, 40.0, count=count), 7), doses, [40.0], c50)
    return drawn_total(mean_total(effect.felt, route, drawn_person(route, count, 7)), 7)[:, 0]


def acceptance() -> list[tuple[str, str, str, str]]:
    """The 14 rows of research/pkpd.md section 6: number, test, band, measured here."""
    ode, step = engines()
    c40, c240 = speed_job_means()
    errors = strata()
    one = typical(NASAL, ADULT)
    noresketamine = [
        100 * (exposure(NASAL, one, devices(n, 5, 28), 24.0, "noresketamine").cmax_ng_per_ml[0] / published - 1)
        for n, published in zip((1, 2, 3), (59.1, 119.7, 180.0), strict=True)
    ]
    tmax = [exposure(NASAL, one, devices(n, 5, 28), 8.0).tmax_min[0] - 5 * (n - 1) for n in (1, 2, 3)]
    drawn = draw(NASAL, people(70.0, 40.0, count=10_000), 11)
    peaks = concentration(NASAL, drawn, devices(3, 5, 28), MINUTES).ng_per_ml.max(axis=1)
    simons = concentration(SIMONS, typical(SIMONS, people(73.0, 25.0)), infusion(20, 20), [20.0]).ng_per_ml[0, 0]
    iv, spray = felt(KAMP, infusion(35, 40)), felt(NASAL, devices(3, 5, 28))
    share = [100 * (totals(NASAL, devices(n, 5, 28), "nasal_spray") > 4).mean() for n in (2, 3)]
    arterial, volume = typical(KAMP, ADULT), sum(typical(KAMP, ADULT)[v][0] for v in ("V1", "V2", "V3"))
    route = load_route("nasal_spray")
    accepted = [dose for dose in (28, 56, 84, 86) if dose_fault(route, dose) is None]
    warned = device_gap_fault(route, (0.0, 3.0)) is not None
    watch = dict(route.monitoring)
    cmax, auc = max(abs(c) for _, c, _ in errors), max(abs(a) for _, _, a in errors)
    return [
        ("1", "closed form against LSODA; matrix exponential against closed form", "1e-6; 1e-9", f"{ode:.1e}; {step:.1e}"),
        ("2", "speed job, mean C(40) and C(240)", "see below", f"{c40:.2f} and {c240:.3f} ng/mL (another draw of it)"),
        ("3", "Perez-Ruixo Table 4, 18 strata, Cmax and AUC0-24", "±1 %", f"largest error {cmax:.2f} and {auc:.2f} %"),
        ("4", "noresketamine Cmax 28/56/84 mg", "±2 %", " / ".join(f"{e:+.2f} %" for e in noresketamine)),
        ("5", "nasal F at 56 and 84 mg", "54 and 51 %, ±1", f"{nasal_share(2):.1f} and {nasal_share(3):.1f} %"),
        ("6", "Tmax after the last spray, 28/56/84 mg", "20-40 min", " / ".join(f"{t:.0f}" for t in tmax)),
        ("7", "between-subject CV of nasal Cmax (84 mg)", "27-66 %", f"{100 * peaks.std() / peaks.mean():.1f} %"),
        ("8", "Simons, 20 mg in 20 min: arterial peak", "260-273 ng/mL ±10 %", f"{simons:.0f} ng/mL"),
        ("9", "35 mg in 40 min at 40 min: venous; arterial", "130-240; 200-300", f"{at_40(OTTO, infusion(35, 40)):.0f}; {at_40(KAMP, infusion(35, 40)):.0f} ng/mL"),
        ("10", "arterial default: CL and Vss", "69-90 L/h; 200-304 L", f"{60 * arterial['CL'][0]:.0f} L/h; {volume:.0f} L"),
        ("11", "felt effect, IV: peak, E60, E80", "20-40 min, ≤0.35, ≤0.15", f"{iv.argmax()} min, {iv[60] / iv.max():.2f}, {iv[80] / iv.max():.2f}"),
        ("11", "felt effect, 84 mg nasal: peak, E90, E120", "30-45 min, ≤0.25, ≤0.10", f"{spray.argmax()} min, {spray[90] / spray.max():.2f}, {spray[120] / spray.max():.2f}"),
        ("12", "CADSS > 4 at 56 and 84 mg", "61-84 %", f"{share[0]:.0f} and {share[1]:.0f} %"),
        ("13", "nasal doses accepted; gap warned; BP prompt; earliest discharge", "28/56/84, not 86; < 5 min; 40; 120 min", f"{'/'.join(map(str, accepted))}; {'yes' if warned else 'NO'}; {watch['bp_check'].value:.0f}; {watch['observe_at_least'].value:.0f} min"),
        ("14", "10,000 patients x 241 min, NumPy, one core", "≤ 0.5 s", "`make bench` (row 1)"),
    ]  # fmt: skip


def figure_strata() -> None:
    rows = strata()
    figure, axis = plt.subplots(figsize=(6.8, 4.4))
    at = np.arange(len(rows))
    axis.axvspan(-1, 1, color="#e8eef4", label="±1 %")
    axis.plot([c for _, c, _ in rows], at, "o", color=BLUE, label="Cmax", markersize=4)
    axis.plot([a for _, _, a in rows], at, "s", color=RED, label="AUC 0-24 h", markersize=4, markerfacecolor="white")
    axis.set_yticks(at, [name for name, _, _ in rows], fontsize=7)
    axis.invert_yaxis()
    axis.set_xlim(-2, 2)
    axis.set_xlabel("kerp against the published value (%)")
    axis.set_title("Nasal esketamine: all 18 strata of Perez-Ruixo 2021, Table 4", loc="left", fontsize=9)
    axis.legend(fontsize=7, frameon=False)
    save(figure, "strata")


def figure_infusion() -> None:
    figure, axes = plt.subplots(2, 1, figsize=(6.8, 5.2), sharex=True)
    for model, colour, label in ((KAMP, BLUE, "arterial (Kamp 2020)"), (OTTO, RED, "venous (Otto 2021, S + R)")):
        curve = concentration(
            model, draw(model, people(70.0, 40.0, count=2000), 1), infusion(35, 40), MINUTES
        ).ng_per_ml
        low, high = np.quantile(curve, (0.05, 0.95), axis=0)
        axes[0].fill_between(MINUTES, low, high, color=colour, alpha=0.15, linewidth=0)
        axes[0].plot(MINUTES, concentration(model, typical(model, ADULT), infusion(35, 40), MINUTES).ng_per_ml[0], color=colour, label=label)  # fmt: skip
    axes[0].errorbar([40], [185], fmt="k*", markersize=9, label="published venous Cmax 185 (Zarate 2006)")
    axes[0].set_ylabel("ketamine (ng/mL)")
    axes[0].legend(fontsize=7, frameon=False)
    axes[0].set_title(
        "35 mg racemic ketamine over 40 min, 70 kg; bands: 90 % of 2,000 drawn people", loc="left", fontsize=9
    )
    for model, doses, colour, label in (
        (KAMP, infusion(35, 40), BLUE, "infusion 35 mg"),
        (NASAL, devices(3, 5, 28), GREY, "nasal esketamine 84 mg"),
    ):
        axes[1].plot(MINUTES, felt(model, doses), color=colour, label=label)
        rise = pressure_rise(model, typical(model, ADULT), doses, MINUTES).systolic_mmhg[0]
        axes[1].plot(MINUTES, rise / 10, color=colour, linestyle=":", label=f"{label}: systolic rise / 10 mmHg")
    axes[1].axvspan(30, 40, color="#f3ead9", label="peak window of the paper (P30)")
    axes[1].set_ylabel("felt effect (0 to 1)")
    axes[1].set_xlabel("minutes after administration onset")
    axes[1].legend(fontsize=6.5, frameon=False)
    figure.text(
        0.01,
        0.005,
        "Effect and pressure links are calibrated to summary statements, not fitted to data.",
        fontsize=6.5,
    )
    save(figure, "infusion", 0.03)


def figure_forecast() -> None:
    grid, rule = np.arange(0.0, 181.0, 2.5), EffectRule(2, 1)
    panel = build_panel(KAMP, people(70.0, 40.0, count=4000), infusion(35, 40), grid, rule, 1)
    ratings = [Rating(t, v) for t, v in ((5, 1), (10, 3), (15, 5), (20, 6), (25, 6), (30, 7), (35, 6), (40, 6))]
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.2), sharey=True)
    for axis, known in zip(axes, (0, 3, 8), strict=True):
        found = forecast(panel, ratings[:known])
        axis.fill_between(grid, found.felt[0], found.felt[4], color=BLUE, alpha=0.14, linewidth=0)
        axis.fill_between(grid, found.felt[1], found.felt[3], color=BLUE, alpha=0.25, linewidth=0)
        axis.plot(grid, found.felt[2], color=BLUE)
        axis.plot([r.at_min for r in ratings[:known]], [r.value for r in ratings[:known]], "ko", markersize=4)
        end = found.resolution
        axis.set_title(f"{known} ratings; gone at {end.median:.0f} min (90 %: {end.low_90:.0f}-{end.high_90:.0f})\n{found.effective_curves:.0f} effective curves", fontsize=8)  # fmt: skip
        axis.set_xlabel("minutes")
    axes[0].set_ylabel("felt effect, rating 0 to 10")
    figure.text(
        0.01,
        0.005,
        "Model output under assumed variation between people; nothing in a session is decided by it.",
        fontsize=6.5,
    )
    save(figure, "forecast", 0.05)


def figure_cadss() -> None:
    figure, axis = plt.subplots(figsize=(6.8, 3.0))
    bins = np.arange(0, 41) - 0.5
    for label, colour, found in (
        ("infusion 35 mg", BLUE, totals(KAMP, infusion(35, 40), "iv_infusion")),
        ("nasal 84 mg", GREY, totals(NASAL, devices(3, 5, 28), "nasal_spray")),
    ):
        text = f"{label}: mean {found.mean():.1f}, SD {found.std():.1f}, above 4: {100 * (found > 4).mean():.0f} %"
        axis.hist(found, bins, density=True, histtype="step", color=colour, label=text)
    axis.axvline(4.5, color=RED, linewidth=0.8, linestyle=":")
    axis.set_xlabel("CADSS total at 40 min (calibrated to summary figures, not fitted)")
    axis.set_ylabel("share of people")
    axis.legend(fontsize=7, frameon=False)
    save(figure, "cadss")


def save(figure: Any, name: str, foot: float = 0.0) -> None:
    figure.tight_layout(rect=(0, foot, 1, 1))
    figure.savefig(IMAGES / f"drug_{name}.png", dpi=110)
    plt.close(figure)


def main() -> None:
    """Write the figures, and the measured values between the page's two marks."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for draw_figure in (figure_strata, figure_infusion, figure_forecast, figure_cadss):
        draw_figure()
    rows = "\n".join(f"| {' | '.join(row)} |" for row in acceptance())
    table = f"| # | test | band | measured |\n|---|---|---|---|\n{rows}\n"
    page = PAGE.read_text()
    PAGE.write_text(re.sub(r"(<!-- measured -->\n).*?(<!-- end -->)", rf"\g<1>{table}\g<2>", page, flags=re.DOTALL))


if __name__ == "__main__":
    main()
