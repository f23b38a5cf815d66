"""10,000 patients x 241 minutes, three compartments, one process; and the felt-effect forecast.

Peers run in the same process on the same machine. Where a peer is slow it runs fewer patients and its time is scaled;
the note says so. All are checked against our numbers before they are timed: a fast wrong answer is no answer.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np
from scipy.integrate import odeint

from benchmarks.row import Row, median_s
from kerp.base.seeds import Stream
from kerp.drug.events import Doses, infusion
from kerp.drug.forecast import EffectRule, Rating, build_panel, forecast
from kerp.drug.kinetics import EXPONENTIAL, compiled, concentration
from kerp.drug.model import DrugModel, load_model
from kerp.drug.population import people, standard_normals, typical

PEOPLE, MINUTES, DOSE_MG, LENGTH_MIN = 10_000, np.arange(241.0), 35.0, 40.0
DIFFRAX_PEOPLE, ROADRUNNER_PEOPLE, LSODA_PEOPLE = 10_000, 300, 100


def run() -> list[Row]:
    return [*speed_job(), *forecasting()]


def speed_job() -> list[Row]:
    model, doses, parameters = job_population()
    expected = concentration(model, parameters, doses, MINUTES).ng_per_ml
    ours = median_s(lambda: concentration(model, parameters, doses, MINUTES))
    rows = [Row("10,000 patients x 241 min, closed form", ours, target=0.5, note="bound in seconds")]
    for name, least, peer in (
        ("hand-written tri-exponential, NumPy", 1 / 1.5, hand_written),
        ("diffrax (JAX ODE solver)", 20.0, by_diffrax),
        ("libroadrunner (SBML, CVODE)", 50.0, by_roadrunner),
        ("SciPy odeint (LSODA)", None, by_lsoda),
    ):
        seconds, note = peer(parameters, expected)
        rows.append(Row("10,000 patients x 241 min, closed form", ours, name, seconds, least, note))
    return [*rows, *other_engines(parameters, expected)]


def job_population() -> tuple[DrugModel, Doses, dict[str, np.ndarray]]:
    """The job of research/pkpd.md section 5: the Domino volumes, log-normal CL (30 %) and V1 (35 %), our draws."""
    model = load_model("domino1984")
    p = typical(model, people(70.0, 40.0, count=PEOPLE))
    V1 = p["V1_per_kg"] * p["weight_kg"]
    fixed = {"V1": V1, "CL": p["k10"] * V1, "Q2": p["k12"] * V1, "Q3": p["k13"] * V1}
    fixed |= {"V2": fixed["Q2"] / p["k21"], "V3": fixed["Q3"] / p["k31"]}
    chance = standard_normals(1, Stream.PATIENT, 901, 0, PEOPLE, 2)
    for column, (name, cv) in enumerate((("CL", 0.30), ("V1", 0.35))):
        fixed[name] = fixed[name] * np.exp(np.sqrt(np.log1p(cv**2)) * chance[:, column])
    return replace(model, structure="mammillary"), infusion(DOSE_MG, LENGTH_MIN), fixed


def other_engines(parameters: dict[str, np.ndarray], expected: np.ndarray) -> list[Row]:
    """Our other two ways, for the record."""
    model, doses, _ = job_population()
    stepped = concentration(model, parameters, doses, MINUTES, method=EXPONENTIAL).ng_per_ml
    _agree(stepped, expected, 1e-9)
    by_steps = median_s(lambda: concentration(model, parameters, doses, MINUTES, method=EXPONENTIAL), 3)
    fast = compiled(model, doses, MINUTES)
    _agree(np.asarray(fast(parameters)), expected, 1e-9)
    by_jax = median_s(lambda: fast(parameters).block_until_ready())
    return [
        Row("the same by batched matrix exponential", by_steps, note="any linear model"),
        Row("the same compiled by JAX, float64", by_jax, note="first call not counted"),
    ]


def forecasting() -> list[Row]:
    model, who, grid = load_model("kamp2020"), people(70.0, 40.0, count=4_000), np.arange(0.0, 241.0, 2.5)
    doses, rule = infusion(DOSE_MG, LENGTH_MIN), EffectRule(2, 1)
    panel = build_panel(model, who, doses, grid, rule, 1)
    ratings = [Rating(5.0 * k, value) for k, value in enumerate((1, 4, 6, 7, 7, 8, 7, 7), start=1)]
    again = median_s(lambda: forecast(panel, ratings), 21)
    built = median_s(lambda: build_panel(model, who, doses, grid, rule, 1))
    return [
        Row("reweight 4,000 felt-effect curves by 8 ratings", again, target=0.020, note="bound in seconds"),
        Row("build 4,000 felt-effect curves", built, target=0.5, note="bound in seconds"),
    ]


def hand_written(p: dict[str, np.ndarray], expected: np.ndarray) -> tuple[float, str]:
    """The closed form of the textbooks, written for this one job: cubic roots by cosine, three exponentials."""

    def job() -> np.ndarray:
        k10, k12, k13 = p["CL"] / p["V1"], p["Q2"] / p["V1"], p["Q3"] / p["V1"]
        k21, k31 = p["Q2"] / p["V2"], p["Q3"] / p["V3"]
        a0, a2 = k10 * k21 * k31, k10 + k12 + k13 + k21 + k31
        a1 = k10 * k31 + k21 * k31 + k21 * k13 + k10 * k21 + k31 * k12
        q, r = a1 - a2**2 / 3, 2 * a2**3 / 27 - a1 * a2 / 3 + a0
        angle = np.arccos(np.clip(-r / (2 * np.sqrt(-((q / 3) ** 3))), -1, 1)) / 3
        roots = [a2 / 3 - 2 * np.sqrt(-q / 3) * np.cos(angle + shift) for shift in (0, 2 * np.pi / 3, 4 * np.pi / 3)]
        total = np.zeros((len(k10), MINUTES.size))
        since, before = np.maximum(MINUTES - LENGTH_MIN, 0), MINUTES
        for i, root in enumerate(roots):
            b, c = (other for j, other in enumerate(roots) if j != i)
            weight = (k21 - root) * (k31 - root) / ((b - root) * (c - root)) / p["V1"] / root
            total += weight[:, None] * (np.exp(-root[:, None] * since) - np.exp(-root[:, None] * before))
        return 1000 * DOSE_MG / LENGTH_MIN * total

    _agree(job(), expected, 1e-8)
    return median_s(job), "written for this job only"


def by_diffrax(p: dict[str, np.ndarray], expected: np.ndarray) -> tuple[float, str]:
    import diffrax
    import jax
    import jax.numpy as jnp

    def slope(t, x, args):
        k10, k12, k13, k21, k31 = args
        rate = jnp.where(t < LENGTH_MIN, DOSE_MG / LENGTH_MIN, 0.0)
        centre = rate - (k10 + k12 + k13) * x[0] + k21 * x[1] + k31 * x[2]
        return jnp.stack([centre, k12 * x[0] - k21 * x[1], k13 * x[0] - k31 * x[2]])

    control = diffrax.PIDController(rtol=1e-6, atol=1e-8, jump_ts=jnp.array([LENGTH_MIN]))

    def one(args):
        saved = diffrax.SaveAt(ts=jnp.asarray(MINUTES))
        start, end, step = 0.0, 240.0, 0.1
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(slope), diffrax.Tsit5(), start, end, step, jnp.zeros(3), args, saveat=saved,
            stepsize_controller=control, max_steps=4096,
        )  # fmt: skip
        return solution.ys[:, 0]

    some = {name: value[:DIFFRAX_PEOPLE] for name, value in p.items()}
    rates = jnp.stack(_rates(some), axis=1)
    solve = jax.jit(jax.vmap(one))
    found = 1000 * np.asarray(solve(rates)) / some["V1"][:, None]
    _agree(found[:, 1:], expected[:DIFFRAX_PEOPLE, 1:], 2e-3)
    took = median_s(lambda: solve(rates).block_until_ready(), 3)
    return took * PEOPLE / DIFFRAX_PEOPLE, f"{DIFFRAX_PEOPLE} patients; Tsit5 rtol 1e-6, compiled"


def by_roadrunner(p: dict[str, np.ndarray], expected: np.ndarray) -> tuple[float, str]:
    import roadrunner

    names = ("k10", "k12", "k13", "k21", "k31")
    machine = roadrunner.RoadRunner(_sbml(names))
    machine.integrator.relative_tolerance, machine.integrator.absolute_tolerance = 1e-8, 1e-10
    machine.timeCourseSelections = ["A1"]
    rates = np.stack(_rates(p), axis=1)

    def job(count: int) -> np.ndarray:
        found = np.empty((count, MINUTES.size))
        for person in range(count):
            machine.reset(roadrunner.SelectionRecord.ALL)
            for name, value in zip(names, rates[person], strict=True):
                machine[name] = value
            machine["rate"] = DOSE_MG / LENGTH_MIN
            found[person, :41] = machine.simulate(0, LENGTH_MIN, 41)[:, 0]
            machine["rate"] = 0.0
            found[person, 40:] = machine.simulate(LENGTH_MIN, 240, 201)[:, 0]
        return 1000 * found / p["V1"][:count, None]

    _agree(job(20)[:, 1:], expected[:20, 1:], 1e-5)
    start = time.perf_counter()
    job(ROADRUNNER_PEOPLE)
    took = time.perf_counter() - start
    return took * PEOPLE / ROADRUNNER_PEOPLE, f"{ROADRUNNER_PEOPLE} patients, scaled; CVODE rtol 1e-8"


def by_lsoda(p: dict[str, np.ndarray], expected: np.ndarray) -> tuple[float, str]:
    rates = np.stack(_rates(p), axis=1)

    def slope(x, _t, k, rate):
        k10, k12, k13, k21, k31 = k
        return (
            rate - (k10 + k12 + k13) * x[0] + k21 * x[1] + k31 * x[2],
            k12 * x[0] - k21 * x[1],
            k13 * x[0] - k31 * x[2],
        )

    def job(count: int) -> np.ndarray:
        found = np.empty((count, MINUTES.size))
        for person in range(count):
            k = rates[person]
            during = odeint(slope, np.zeros(3), MINUTES[:41], (k, DOSE_MG / LENGTH_MIN), rtol=1e-8, atol=1e-10)
            after = odeint(slope, during[-1], MINUTES[40:], (k, 0.0), rtol=1e-8, atol=1e-10)
            found[person] = np.concatenate([during[:, 0], after[1:, 0]])
        return 1000 * found / p["V1"][:count, None]

    _agree(job(10)[:, 1:], expected[:10, 1:], 1e-5)
    start = time.perf_counter()
    job(LSODA_PEOPLE)
    took = time.perf_counter() - start
    return took * PEOPLE / LSODA_PEOPLE, f"{LSODA_PEOPLE} patients, scaled; rtol 1e-8"


def _rates(p: dict[str, np.ndarray]) -> list[np.ndarray]:
    return [p["CL"] / p["V1"], p["Q2"] / p["V1"], p["Q3"] / p["V1"], p["Q2"] / p["V2"], p["Q3"] / p["V3"]]


def _agree(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Refuse to time an engine that gives other numbers (relative to each patient's peak)."""
    worst = np.max(np.abs(found - expected) / expected.max(axis=1, keepdims=True))
    if not worst <= tolerance:
        raise AssertionError(f"engines disagree by {worst:.1e} of the peak, more than {tolerance:.0e}")


def _sbml(names: tuple[str, ...]) -> str:
    """The model as SBML: amounts A1 to A3 by rate rules."""
    parameters = "".join(f'<parameter id="{name}" value="0.1" constant="false"/>' for name in (*names, "rate"))
    states = "".join(f'<parameter id="A{n}" value="0" constant="false"/>' for n in (1, 2, 3))
    equations = {
        "A1": "rate - (k10 + k12 + k13) * A1 + k21 * A2 + k31 * A3",
        "A2": "k12 * A1 - k21 * A2",
        "A3": "k13 * A1 - k31 * A3",
    }
    rules = "".join(f'<rateRule variable="{name}">{_mathml(text)}</rateRule>' for name, text in equations.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model id="m">'
        f"<listOfParameters>{parameters}{states}</listOfParameters><listOfRules>{rules}</listOfRules></model></sbml>"
    )


def _mathml(equation: str) -> str:
    """MathML of a sum of products, through Python's own parser."""
    import ast

    marks = {ast.Add: "plus", ast.Sub: "minus", ast.Mult: "times"}

    def written(node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return f"<ci>{node.id}</ci>"
        assert isinstance(node, ast.BinOp)
        return f"<apply><{marks[type(node.op)]}/>{written(node.left)}{written(node.right)}</apply>"

    body = ast.parse(equation, mode="eval").body
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML">{written(body)}</math>'
