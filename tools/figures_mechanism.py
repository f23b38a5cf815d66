# ruff: noqa: D103, E501 - a table row and a plotting call read best on one line; figure functions are named by their figure
"""Figures and measured values of docs/validation/mechanism.md. Run: python tools/figures_mechanism.py
(equations only: --equations; cost of a growing population: --growth 1000000; of a longer course: --days)

The reference table is MODEL.md's, made by an independent Euler check with one-minute steps; the published arms come from
`kerp evidence` tables. Nothing here is fitted.
"""

from __future__ import annotations

import re
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

ROOT = Path(__file__).parent.parent
IMAGES, PAGE = ROOT / "docs/validation/img", ROOT / "docs/validation/mechanism.md"
EQUATIONS = ROOT / "docs/mechanism.md"
sys.path.insert(0, str(ROOT / "src"))

from kerp.evidence.tables import load_table  # noqa: E402
from kerp.learning.contract import Equation  # noqa: E402
from kerp.learning.priors import Prior, priors  # noqa: E402
from kerp.learning.registry import catalogue, line_of, model  # noqa: E402
from kerp.patient.draw import BLOCK, reference_person  # noqa: E402
from kerp.protocol.schedule import PlannedDose, PlannedSession, Schedule, load_schedule  # noqa: E402
from kerp.report.timing import picture  # noqa: E402
from kerp.simulate.population.compare import ArmResult, Request, compare, walk  # noqa: E402
from kerp.simulate.population.grid import build  # noqa: E402
from kerp.simulate.population.outcome import window_means  # noqa: E402
from kerp.simulate.population.process import Block, Processes  # noqa: E402
from kerp.simulate.population.timing import TimingRequest, offsets_of, surface  # noqa: E402

DAYS = (1, 3, 7, 14, 28, 42)
BLUE, RED, GREY = "#0b5c7a", "#b5512b", "#888888"
PEOPLE, SEED = 1500, 20261123
REFERENCE: list[tuple[str, str, dict[str, float], tuple[float, ...]]] = [
    ("placebo", "placebo", {}, (0, 0, 0, 0, 0, 0)),
    ("ketamine alone", "ketamine-alone", {}, (-29.5, -18.7, -8.2, -4.3, -3.4, -3.3)),
    ("ERP alone", "erp-alone", {}, (0, -9.2, -19.8, -42.9, -45.9, -47.0)),
    ("sequential, dissolution only", "sequential", {}, (-29.5, -26.2, -26.7, -46.0, -48.3, -49.2)),
    ("concurrent, dissolution only", "concurrent", {}, (-34.0, -26.3, -26.7, -46.0, -48.3, -49.2)),
    ("concurrent, kappa_a +.8, kappa_c +.4", "concurrent", {"kappa_a": 0.8, "kappa_c": 0.4}, (-36.2, -28.4, -28.9, -47.7, -49.9, -50.7)),
    ("sequential, kappa_p +.6", "sequential", {"kappa_p": 0.6}, (-29.6, -33.6, -41.1, -59.8, -60.8, -60.7)),
    ("concurrent, kappa_p +.6", "concurrent", {"kappa_p": 0.6}, (-34.3, -29.6, -37.3, -57.2, -58.6, -58.7)),
    ("concurrent, kappa_c -1.5, kappa_p +.6", "concurrent", {"kappa_c": -1.5, "kappa_p": 0.6}, (-32.3, -27.2, -35.1, -55.6, -57.3, -57.6)),
    ("concurrent, zeta 1.2", "concurrent", {"zeta": 1.2}, (-30.0, -22.8, -23.0, -43.1, -45.6, -46.6)),
    ("ERP alone, m = .3", "erp-alone", {"m": 0.3}, (0, -6.5, -14.3, -33.0, -34.9, -35.7)),
    ("sequential, m = .3", "sequential", {"m": 0.3}, (-30.9, -25.6, -23.7, -39.2, -40.6, -41.4)),
]  # fmt: skip


def score(arm: str, fixed: dict[str, float], weights: tuple[float, float], fineness: int = 1) -> np.ndarray:
    schedule = load_schedule(arm)
    grid = build(schedule, fineness)
    done = walk(
        Request((schedule,), model("core"), fixed=fixed, typical=True),
        schedule,
        reference_person(fixed),
        Block(0, 0),
        grid,
    )
    means = [window_means(done.model, done.p, done.track, grid, float(day), 1.0) for day in (0, *DAYS)]
    return np.array([float(weights[0] * o[0] + weights[1] * c[0]) for o, c in means])


def reference_rows() -> list[str]:
    rows = [
        "| arm | "
        + " | ".join(f"d{d}" for d in DAYS)
        + " | largest difference | same, 20/20 weights | grid halved, points |",
        "|---|" + "---|" * (len(DAYS) + 3),
    ]
    for name, arm, fixed, printed in REFERENCE:
        plain, shipped = score(arm, fixed, (18, 16)), score(arm, fixed, (20, 20))
        change, other = (100 * (v[1:] / v[0] - 1) for v in (plain, shipped))
        halved = np.abs(shipped - score(arm, fixed, (20, 20), 2)).max()
        cells = " | ".join(f"{c:.1f}" if abs(c) > 0.05 else "0" for c in change)
        rows.append(
            f"| {name} | {cells} | {np.abs(change - printed).max():.2f} | {np.abs(other - printed).max():.2f} | {halved:.0e} |"
        )
    return rows


def simulated(schedule: Schedule, **more: Any) -> ArmResult:
    return compare(Request((schedule,), model("core"), count=PEOPLE, seed=SEED, **more)).arms[schedule.id]


def interval(successes: int, people: int) -> tuple[float, float]:
    from scipy.stats import beta

    low = float(beta.ppf(0.025, successes, people - successes + 1)) if successes else 0.0
    high = float(beta.ppf(0.975, successes + 1, people - successes)) if successes < people else 1.0
    return low, high


def infusions(days: list[float], until: int, ratings: tuple[float, ...]) -> Schedule:
    doses = tuple(
        PlannedDose(day=d, agent="ketamine", route="iv_infusion", dose_mg_per_kg=0.5, duration_min=40.0) for d in days
    )
    return Schedule(
        id="repeated", title="", idea="", claims=(), follow_up_days=until, doses=doses, rating_days=ratings
    )


def drug_rows() -> tuple[list[str], list[tuple[str, float, tuple[float, float], float, str]]]:
    """Published responders against the model's share of responders, with what is counted and what set a prior."""
    alone, sequential = simulated(load_schedule("ketamine-alone")), simulated(load_schedule("sequential"))
    repeated = simulated(infusions([0, 3, 7, 10, 14], 28, (21.0,)))
    rule = "farris2013.response"
    day = {name: arm.rated.at for name, arm in (("alone", alone), ("seq", sequential), ("rep", repeated))}

    def share(arm: ArmResult, key: str, at: float) -> float:
        return arm.responses[rule][day[key].index(at)]

    points = [
        ("Rodriguez 2013, ketamine, day 7 (set a prior)", share(alone, "alone", 7.0), 4, 8),
        ("Bloch 2012, ketamine, day 7 (set a prior)", share(alone, "alone", 7.0), 0, 10),
        ("Rodriguez 2016, sequential, day 14 (set a prior)", share(sequential, "seq", 14.0), 5, 8),
        ("Sharma 2020, 5.4 infusions, end of course", share(repeated, "rep", 21.0), 1, 14),
    ]
    rows = ["| study and arm | people | responders | 95 % interval | model | verdict |", "|---|---|---|---|---|---|"]
    shown = []
    for name, predicted, hits, people in points:
        low, high = interval(hits, people)
        verdict = "inside" if low <= predicted <= high else "**missed**"
        rows.append(
            f"| {name} | {people} | {hits} ({100 * hits / people:.0f} %) | {100 * low:.0f}-{100 * high:.0f} % | {100 * predicted:.0f} % | {verdict} |"
        )
        shown.append((name, hits / people, (low, high), predicted, verdict))
    fall = 100 * (1 - np.array(alone.latent.mean)[1:4] / alone.latent.mean[0])
    rows.append(
        f"| Bloch 2012, mean fall on days 1-3 (set a prior) | 10 | under 12 % of baseline | - | {fall[0]:.0f} to {fall[2]:.0f} % | **missed** (too large) |"
    )
    return rows, shown


def exposure_arms() -> list[dict[str, Any]]:
    """Exposure arms of Metapsy with a known number of sessions, and the model's course of as many hours in as many weeks."""
    found = []
    seen = set()
    for row in load_table("psychotherapy_ybocs"):
        key = (row["study"], row["treatment_arm"])
        if row["treatment"] != "erp" or key in seen or row["sessions"] is None or row["weeks"] is None:
            continue
        seen.add(key)
        sessions, weeks = int(row["sessions"]), float(row["weeks"])
        days = np.linspace(1.417, max(7 * weeks - 1.0, sessions * 0.2), sessions)
        end = float(np.ceil(days[-1] + 1))
        schedule = Schedule(
            id="erp",
            title="",
            idea="",
            claims=(),
            follow_up_days=int(end),
            sessions=tuple(PlannedSession(day=float(d), minutes=60.0) for d in days),
            rating_days=(end,),
        )
        arm = simulated(schedule)
        change = 100 * (arm.rated.mean[-1] / arm.rated.mean[0] - 1)
        spread = 100 * arm.rated.sd[-1] / arm.rated.mean[0] / np.sqrt(row["treatment_n_after"])
        observed = 100 * (row["treatment_mean_after"] / row["treatment_mean_before"] - 1)
        error = 100 * row["treatment_sd_after"] / row["treatment_mean_before"] / np.sqrt(row["treatment_n_after"])
        found.append(
            {
                "study": f"{row['study']} {row['treatment_arm'] or ''}".strip(),
                "format": row["format"],
                "n": row["treatment_n_after"],
                "sessions": sessions,
                "observed": observed,
                "error": error,
                "model": change,
                "spread": spread,
                "inside": abs(observed - change) <= 1.96 * float(np.hypot(error, spread)),
            }
        )
    return found


def exposure_rows(arms: list[dict[str, Any]]) -> list[str]:
    rows = [
        "| arm | format | people | sessions | observed change | model | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for a in sorted(arms, key=lambda one: one["observed"]):
        verdict = (
            "inside"
            if a["inside"]
            else "**missed** (" + ("too small" if a["model"] > a["observed"] else "too large") + ")"
        )
        rows.append(
            f"| {a['study']} | {a['format']} | {a['n']} | {a['sessions']} | {a['observed']:.0f} % (SE {a['error']:.0f}) | {a['model']:.0f} % | {verdict} |"
        )
    weight = np.array([a["n"] for a in arms], float)
    pooled = [float(weight @ np.array([a[k] for a in arms]) / weight.sum()) for k in ("observed", "model")]
    rows.append(
        f"| all, weighted by people | | {int(weight.sum())} | | {pooled[0]:.0f} % | {pooled[1]:.0f} % | {sum(a['inside'] for a in arms)} of {len(arms)} inside |"
    )
    return rows


def figure_prior_predictive(points: list[Any], arms: list[dict[str, Any]]) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.6), width_ratios=(1, 1.2))
    for k, (name, share, (low, high), predicted, verdict) in enumerate(points):
        colour = RED if "missed" in verdict else BLUE
        axes[0].errorbar(
            100 * share, k, xerr=[[100 * (share - low)], [100 * (high - share)]], fmt="o", color="black", capsize=3
        )
        axes[0].plot(
            100 * predicted, k, "D", color=colour, markersize=7, markerfacecolor="none" if "prior" in name else colour
        )
    axes[0].set(yticks=range(len(points)), xlabel="responders, % (black: published, 95 % interval; diamond: model)")
    axes[0].set_yticklabels([p[0].replace(", ", "\n", 1).replace(" (set", "\n(set") for p in points], fontsize=7.5)
    axes[0].set_title("Ketamine arms; open diamonds set a prior", loc="left", fontsize=9.5)
    ordered = sorted(arms, key=lambda one: one["observed"])
    for k, a in enumerate(ordered):
        axes[1].errorbar(a["observed"], k, xerr=1.96 * a["error"], fmt="o", color="black", capsize=3)
        axes[1].errorbar(
            a["model"], k + 0.25, xerr=1.96 * a["spread"], fmt="D", color=BLUE if a["inside"] else RED, markersize=4
        )
    axes[1].set(yticks=range(len(ordered)), xlabel="change of Y-BOCS, % of baseline (95 %)")
    axes[1].set_yticklabels([f"{a['study']} ({a['sessions']} sessions)" for a in ordered], fontsize=7.5)
    axes[1].set_title("Exposure arms of Metapsy; red: missed", loc="left", fontsize=9.5)
    save(figure, "mechanism_prior_predictive")


def figure_arms() -> None:
    names = ("placebo", "ketamine-alone", "erp-alone", "sequential", "concurrent")
    worlds = (
        ("dissolution only", {}),
        ("acute gain: kappa_a +.8, kappa_c +.4", {"kappa_a": 0.8, "kappa_c": 0.4}),
        ("block: kappa_c -1.5, kappa_p +.6", {"kappa_c": -1.5, "kappa_p": 0.6}),
    )
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.5), sharey=True)
    for axis, (title, fixed) in zip(axes, worlds, strict=True):
        done = compare(Request(tuple(load_schedule(n) for n in names), model("core"), typical=True, fixed=fixed))
        for k, arm in enumerate(done.arms.values()):
            axis.plot(
                arm.latent.at,
                arm.latent.mean,
                ("-", "--", "-.", ":", "-")[k],
                color=("#222222", RED, "#5b7f2b", "#6c4f8f", BLUE)[k],
                label=arm.id,
                linewidth=1.6,
            )
        axis.set_title(title, loc="left", fontsize=9.5)
        axis.set(xlabel="day", ylim=(0, 28))
    axes[0].set_ylabel("Y-BOCS, last 24 h, reference person")
    axes[0].legend(frameon=False, fontsize=7.5)
    save(figure, "mechanism_arms")


def figure_infusion() -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.3))
    for fixed, label, style in (
        ({}, "zeta 0", "-"),
        ({"zeta": 0.6}, "zeta 0.6", "--"),
        ({"zeta": 1.2}, "zeta 1.2", "-."),
    ):
        arm = compare(Request((load_schedule("concurrent"),), model("core"), typical=True, fixed=fixed)).arms[
            "concurrent"
        ]
        axes[0].plot(arm.suds[0].at, arm.suds[0].mean, style, color=BLUE, label=label)
    axes[0].axvline(40, color=GREY, linewidth=0.8)
    axes[0].set(
        xlabel="minute of the infusion session", ylabel="SUDS", ylim=(0, 102), title="Exposure during the infusion"
    )
    arm = compare(Request((load_schedule("ketamine-alone"),), model("core"), typical=True)).arms["ketamine-alone"]
    for track, label, style in ((arm.obsessions, "obsessions", "-"), (arm.compulsions, "compulsions", "--")):
        axes[1].plot(
            track.at[:22], [100 * (v / track.mean[0] - 1) for v in track.mean[:22]], style, color=RED, label=label
        )
    axes[1].set(xlabel="day", ylabel="change, %", title="One infusion, no exposure")
    for axis in axes:
        axis.legend(frameon=False, fontsize=8)
    save(figure, "mechanism_infusion")


def layer_rows() -> list[str]:
    rows = ["| layer | published change | model with the layer, day 84 |", "|---|---|---|"]
    placebo = load_schedule("placebo")
    long = replace(placebo, follow_up_days=84, rating_days=(84.0,))
    for layer, points in (("psychological", -4.3), ("waitlist", -1.2), ("usual_care", -3.1)):
        arm = simulated(long, processes=Processes(placebo=layer))
        rows.append(f"| {layer.replace('_', ' ')} | {points} | {arm.rated.mean[-1] - arm.rated.mean[0]:.2f} |")
    return rows


def save(figure: Any, name: str) -> None:
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / f"{name}.png", dpi=130, bbox_inches="tight", metadata={"Software": "kerp"})
    plt.close(figure)


def figure_timing() -> None:
    done = surface(TimingRequest(model("core"), offsets_of("-60:180:20"), (0.5,), count=300, seed=SEED))
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / "mechanism_timing.png").write_bytes(picture(done)[1])


def equation_rows() -> list[str]:
    """Every equation beside the line that computes it; the core model, then what each alternative changes."""
    rows = ["| equation | formula | PAPER | line |", "|---|---|---|---|"]
    core = model("core").card.equations
    rows += [_equation(line) for line in core]
    rows += ["", "| alternative | changes | line |", "|---|---|---|"]
    for one in list(catalogue().values())[1:]:
        own = [line for line in one.card.equations if line not in core]
        where = (
            "; ".join(dict.fromkeys(f"`{line_of(line)}`" for line in own))
            or f"`src/kerp/learning/models/{one.card.id.replace('-', '_')}.py`"
        )
        rows.append(f"| `{one.card.id}`: {one.card.title} | {one.card.differs} | {where} |")
    return rows


def _equation(line: Equation) -> str:
    return f"| {line.name} | `{line.formula}` | {line.claims} | `{line_of(line)}` |"


def prior_rows() -> list[str]:
    rows = ["| parameter | meaning | prior | unit | typical | mark | source |", "|---|---|---|---|---|---|---|"]
    return rows + [_prior_row(one) for one in priors().values()]


def _prior_row(one: Prior) -> str:
    value = one.typical
    return f"| `{one.id}` | {one.meaning} | {one.text()} | {value.unit} | {value.value:g} | {value.mark} | {value.source} |"


def growth_rows(most: int) -> tuple[list[str], list[tuple[int, float, float]]]:
    """One run through the sequential arm, read whenever the number of people has doubled."""
    seen: list[tuple[int, float, float]] = []
    start, wanted = time.process_time(), [BLOCK]

    def note(done: int, blocks: int) -> None:
        people = min(done * BLOCK, most)
        if people >= wanted[0] or done == blocks:
            wanted[0] = 2 * people
            seen.append(
                (people, time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            )

    compare(Request((load_schedule("sequential"),), model("core"), count=most, seed=1), note)
    rows = [f"| {n:,} | {s:.1f} | {1000 * s / n:.2f} | {mib:.0f} |" for n, s, mib in seen]
    return ["| people | processor time, s | per person, ms | peak memory, MiB |", "|---|---|---|---|", *rows], seen


def day_rows() -> list[str]:
    """The same people through the sequential arm, followed for longer and longer."""
    rows = ["| days followed | processor time, s |", "|---|---|"]
    for days in (42, 84, 168, 336):
        arm = replace(load_schedule("sequential"), follow_up_days=days)
        start = time.process_time()
        compare(Request((arm,), model("core"), count=BLOCK, seed=1))
        rows.append(f"| {days} | {time.process_time() - start:.1f} |")
    return rows


def figure_growth(seen: list[tuple[int, float, float]]) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.8))
    people = [n for n, _, _ in seen]
    axes[0].loglog(people, [s for _, s, _ in seen], "o-", color=BLUE, label="measured")
    axes[0].loglog(people, [seen[-1][1] * n / people[-1] for n in people], ":", color=GREY, label="in proportion")
    axes[0].set(xlabel="people", ylabel="processor time, s")
    axes[0].legend(frameon=False)
    axes[1].semilogx(people, [mib for _, _, mib in seen], "o-", color=RED)
    axes[1].set(xlabel="people", ylabel="peak memory, MiB", ylim=(0, None))
    figure.tight_layout()
    figure.savefig(IMAGES / "mechanism_growth.png", dpi=160)
    plt.close(figure)


def write_growth(most: int) -> None:
    rows, seen = growth_rows(most)
    figure_growth(seen)
    PAGE.write_text(put(PAGE.read_text(), "million", rows))


def put(page: str, name: str, rows: list[str]) -> str:
    block = f"<!-- {name} -->\n" + "\n".join(rows) + f"\n<!-- end {name} -->"
    pattern = re.compile(rf"<!-- {name} -->.*?<!-- end {name} -->", re.DOTALL)
    assert pattern.search(page), name
    return pattern.sub(lambda _: block, page)


def main() -> None:
    page = PAGE.read_text()
    page = put(page, "reference", reference_rows())
    rows, points = drug_rows()
    page = put(page, "drug", rows)
    arms = exposure_arms()
    page = put(page, "exposure", exposure_rows(arms))
    page = put(page, "layer", layer_rows())
    figure_prior_predictive(points, arms)
    figure_arms()
    figure_infusion()
    figure_timing()
    PAGE.write_text(page)
    write_equations()


def write_equations() -> None:
    page = put(EQUATIONS.read_text(), "equations", equation_rows())
    EQUATIONS.write_text(put(page, "priors", prior_rows()))


if __name__ == "__main__":
    if "--growth" in sys.argv:
        write_growth(int(sys.argv[sys.argv.index("--growth") + 1]))
    elif "--days" in sys.argv:
        PAGE.write_text(put(PAGE.read_text(), "days", day_rows()))
    elif "--equations" in sys.argv:
        write_equations()
    else:
        main()
