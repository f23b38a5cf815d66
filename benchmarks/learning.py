"""10,000 virtual patients through 42 days of a ten-session arm, and how cost grows.

LSODA integrates the same right-hand side per patient, a few patients, scaled; the bare loop is the same arithmetic
written out on plain arrays, without models, states or processes. Both are checked against ours.
"""

from __future__ import annotations

import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.integrate import odeint

from benchmarks.row import Row, median_s
from kerp.learning.registry import model as model_of
from kerp.patient.draw import BLOCK, blocks
from kerp.patient.response import drug_inputs
from kerp.patient.values import values_of
from kerp.protocol.schedule import load_schedule
from kerp.simulate.population import compiled, stepping
from kerp.simulate.population.compare import Request, compare
from kerp.simulate.population.grid import build

PEOPLE, LSODA_PEOPLE, DAYS = 10_000, 4, 42
ARM = "concurrent"
DAY_MIN = 1440.0
TABLE_MIN = 2.5
TOLERANCE = {"rtol": 1e-6, "atol": 1e-8, "mxstep": 10_000}


def run() -> list[Row]:
    return [*growth(), *growth_in_days(), *speed_job()]  # growth first: its memory peak is then its own


def speed_job() -> list[Row]:
    schedule, model = load_schedule(ARM), model_of("core")
    grid = build(schedule)
    jobs = []
    for people in blocks(PEOPLE, 1):
        one = np.ones((people.count, len(schedule.sessions)))
        doing = stepping.Conduct(0.85 * one, one, one.astype(bool))
        jobs.append((values_of(model, people), drug_inputs(people, schedule, grid.moments()), doing))

    def ours() -> list[stepping.Trajectory]:
        return [stepping.run(model, model.parameters(np, v), grid, d, c) for v, d, c in jobs]

    def bare() -> list[tuple[np.ndarray, np.ndarray]]:
        return [bare_loop(v, grid, d, 0.85) for v, d, _ in jobs]

    def fast() -> list[stepping.Trajectory]:
        with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            return list(pool.map(lambda job: compiled.run(model, job[0], grid, job[1], job[2]), jobs))

    plain = ours()
    for track, (o, c) in zip(plain, bare(), strict=True):
        assert np.abs(track.obsession - o).max() < 1e-9
        assert np.abs(track.compulsion - c).max() < 1e-9
    for track, twin in zip(plain, fast(), strict=True):
        assert np.abs(track.obsession - twin.obsession).max() < 1e-9
    lsoda = lsoda_s(jobs[0], schedule, grid, plain[0])
    seconds, bare_s, fast_s = median_s(ours), median_s(bare), median_s(fast)
    state = 8 * len(plain[0].rest)
    job = f"{PEOPLE:,} patients x {DAYS} days, ten sessions"
    return [
        Row(f"{job}, NumPy", seconds, "SciPy LSODA per patient", lsoda, 50.0,
            f"LSODA: {LSODA_PEOPLE} patients, scaled; state {state} bytes per patient"),
        Row(f"{job}, NumPy", seconds, "bare NumPy loop", bare_s, 1 / 3, "at most 3 times slower"),
        Row(f"{job}, JAX", fast_s, "our NumPy", seconds, 2.0, "compiled; two blocks at a time"),
    ]  # fmt: skip


def bare_loop(v: dict, grid, drug, r: float) -> tuple[np.ndarray, np.ndarray]:
    """The arithmetic of the core model and nothing else."""
    c = bare_constants(v)
    S = L = X = drugged = np.zeros_like(c.V0)
    Q, exposed, closed = c.Q0, 0.0, 0
    out = np.empty((2, grid.count, c.V0.size))
    before = bare_shown(c, S, L, Q, X)
    for k in range(grid.count):
        h, session = 0.5 * grid.days[k], grid.session[k] >= 0
        total_o, total_c = before
        for j in (0, 1):
            E, F, P = drug.E[2 * k + j], drug.F[2 * k + j], drug.P[2 * k + j]
            S, L, Q, X = bare_half(c, (S, L, Q, X), (E, F, P), h, r if session else None)
            if session:
                exposed, drugged = exposed + h, drugged + E * h
            before = bare_shown(c, S, L, Q, X)
            total_o, total_c = total_o + (4 - 3 * j) * before[0], total_c + (4 - 3 * j) * before[1]
        out[0, k], out[1, k] = total_o / 6, total_c / 6
        if grid.closes[k]:
            P = drug.P[2 * grid.count + closed]
            S = S + L / (1 + np.exp(-(c.lxi + c.kappa_c * drugged / exposed + c.kappa_p * P)))
            L, exposed, drugged, closed = np.zeros_like(c.V0), 0.0, np.zeros_like(c.V0), closed + 1
            before = bare_shown(c, S, L, Q, X)
    return out[0], out[1]


def bare_constants(v: dict) -> SimpleNamespace:
    """The parameters, and what follows from them once for all panels."""
    V0, n0, eta0, xi, delta, N, m = (v[k] for k in ("V0", "n0", "eta0", "xi", "delta", "N", "m"))
    return SimpleNamespace(
        **v,
        g=np.minimum(v["g_max"], v["g_margin"] * (1 / (1 - V0) + delta / (xi * eta0 * N * V0 * (1 - n0)))),
        phi=xi * eta0 * N * (1 - n0) / (n0 * (1 - V0)),
        ln0=np.log(n0 / (1 - n0)),
        lxi=np.log(xi / (1 - xi)),
        Q0=v["rho"] * V0,
        cm=m + 0.5 * (1 - m),
    )


def bare_shown(c: SimpleNamespace, S, L, Q, X) -> tuple[np.ndarray, np.ndarray]:
    """Obsession and compulsion."""
    o = (c.V0 - S - L) * (1 - c.psi * X)
    return o, c.cm / (1 + np.exp(-(c.ln0 + c.g * (Q - c.Q0) / c.rho))) * np.sqrt(o + 1e-12)


def bare_half(c: SimpleNamespace, state: tuple, drug: tuple, h: float, r: float | None) -> tuple:
    """Half a panel; `r` is the adherence to response prevention, None outside a session."""
    (S, L, Q, X), (E, F, P) = state, drug
    rate = c.k_on * E + 1 / c.tauX
    rest = c.k_on * E / rate
    left = np.exp(-0.5 * rate * h)
    Xm, Xe = rest + (X - rest) * left, rest + (X - rest) * left * left
    clear = 1 - c.psi * Xm
    reach = (c.m if r is None else c.m * (1 - r)) + (1 - c.m) * clear
    V = c.V0 - S - L
    ne = reach / (1 + np.exp(-(c.ln0 + c.g * (Q - c.Q0) / c.rho)))
    Qm = Q + (c.rho * V * clear - Q) * (1 - np.exp(-ne / (c.n0 * c.tauQ) * 0.5 * h))
    ne = reach / (1 + np.exp(-(c.ln0 + c.g * (Qm - c.Q0) / c.rho)))
    eta = c.eta0 * np.exp(c.kappa_a * E + c.kappa_p * P)
    if r is None:
        dV = bare_drift(c, V, ne, eta, clear, h)
        S = S - dV
    else:
        x = c.zeta * F
        lam = x / np.sqrt(np.sqrt(np.sqrt(1 + x**2 * x**2 * (x**2 * x**2))))
        dV = (lam - V) * (1 - np.exp(-(1 - ne) * eta * DAY_MIN * h))
        L = L - dV
    Q = Q + (c.rho * (V + 0.5 * dV) * clear - Q) * (1 - np.exp(-ne / (c.n0 * c.tauQ) * h))
    return S, L, Q, Xe


def bare_drift(c: SimpleNamespace, V, ne, eta, clear, h: float) -> np.ndarray:
    """How far belief moves outside a session."""
    loss, gain = c.xi * (1 - ne) * eta * c.N * clear, c.phi * ne * clear
    s0 = gain - loss - c.delta
    f = V * (s0 - gain * V) + c.delta * c.V0
    slope = s0 - 2 * gain * V
    w = np.sqrt(s0 * s0 + 4 * gain * c.delta * c.V0 + 1e-12)
    t = np.tanh(0.5 * w * h)
    return 2 * f * t / (w - slope * t)


def lsoda_s(job, schedule, grid, track) -> float:
    """Seconds for all patients, scaled from a few; their end state is checked first."""
    values, drug, _ = job
    rows_read = thinned(grid.middles())
    middles = grid.middles()[rows_read]
    seconds = 0.0
    for k in range(LSODA_PEOPLE):
        v = {name: float(np.ravel(value)[k if np.size(value) > 1 else 0]) for name, value in values.items()}
        series = [rows[rows_read, k] for rows in (drug.E, drug.F, drug.P)]
        start = time.perf_counter()
        obsession = one_patient(v, schedule, middles, series)
        seconds += time.perf_counter() - start
        assert abs(obsession - track.obsession[-1, k]) < 2e-3, (obsession, track.obsession[-1, k])
    return seconds * PEOPLE / LSODA_PEOPLE


def thinned(days: np.ndarray) -> np.ndarray:
    """Rows at least 2.5 min apart: LSODA steps from kink to kink of the drug's table, and is not to pay for ours."""
    rows = [0]
    for k in range(1, days.size):
        if (days[k] - days[rows[-1]]) * DAY_MIN >= TABLE_MIN:
            rows.append(k)
    return np.array(rows)


def one_patient(v, schedule, middles, series) -> float:
    """The right-hand side of MODEL.md under LSODA, from event to event; the obsession on the last day."""
    from math import exp, log

    phi = v["xi"] * v["eta0"] * v["N"] * (1 - v["n0"]) / (v["n0"] * (1 - v["V0"]))
    star = 1 / (1 - v["V0"]) + v["delta"] / (v["xi"] * v["eta0"] * v["N"] * v["V0"] * (1 - v["n0"]))
    g, Q0, ln0 = min(v["g_max"], v["g_margin"] * star), v["rho"] * v["V0"], log(v["n0"] / (1 - v["n0"]))

    def right(y, t, on):
        S, L, Q, X, _ = y
        E, F, P = (float(np.interp(t, middles, one)) for one in series)
        V = v["V0"] - S - L
        clear = 1 - v["psi"] * X
        ne = (v["m"] * (1 - 0.85 * on) + (1 - v["m"]) * clear) / (1 + exp(-(ln0 + g * (Q - Q0) / v["rho"])))
        eta = v["eta0"] * exp(v["kappa_a"] * E + v["kappa_p"] * P)
        x = v["zeta"] * F
        dL = (1 - ne) * eta * DAY_MIN * (V - x / (1 + x**8) ** 0.125) if on else 0.0
        gain = v["xi"] * (1 - ne) * eta * v["N"] * V * clear
        dS = 0.0 if on else gain - phi * ne * V * clear * (1 - V) - v["delta"] * S
        dQ = ne / v["n0"] * (v["rho"] * V * clear - Q) / v["tauQ"]
        return dS, dL, dQ, v["k_on"] * E * (1 - X) - X / v["tauX"], E

    y, now = [0.0, 0.0, Q0, 0.0, 0.0], 0.0
    marks = [(s.day, s.end_day) for s in schedule.sessions] + [(float(schedule.follow_up_days), None)]
    for begin, end in marks:
        if begin > now:
            y, now = list(odeint(right, y, (now, begin), args=(0,), **TOLERANCE, hmax=0.1)[-1]), begin
        if end is not None:
            before = y[4]
            y, now = list(odeint(right, y, (now, end), args=(1,), **TOLERANCE, hmax=0.01)[-1]), end
            kept = log(v["xi"] / (1 - v["xi"])) + v["kappa_c"] * (y[4] - before) / (end - begin)
            kept += v["kappa_p"] * float(np.interp(now, middles, series[2]))
            y[0], y[1] = y[0] + y[1] / (1 + exp(-kept)), 0.0
    return (v["V0"] - y[0] - y[1]) * (1 - v["psi"] * y[3])


def growth() -> list[Row]:
    """Seconds per patient and resident memory as the population grows: whole comparison, one block after another."""
    arm, model = load_schedule("concurrent-single"), model_of("core")
    rows, base = [], 0.0
    for count in (BLOCK, 4 * BLOCK, 16 * BLOCK):
        start = time.process_time()  # not the clock: a neighbour's work would look like growth
        compare(Request((arm,), model, count=count, seed=1))
        seconds = time.process_time() - start
        base = base or seconds / count
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        note = f"{1e6 * seconds / count:.0f} us per patient; peak memory of the process {peak_mib:.0f} MiB"
        linear = base * count
        name = f"{count:,} patients, drawn, dosed, summarised"
        rows.append(Row(name, seconds, "in proportion", linear, 0.7, note))
    return rows


def growth_in_days() -> list[Row]:
    """Processor seconds as the course of the same people is followed for longer."""
    arm, model = load_schedule("sequential"), model_of("core")
    rows, base = [], 0.0
    for days in (2 * DAYS, 4 * DAYS, 8 * DAYS):
        start = time.process_time()
        compare(Request((replace(arm, follow_up_days=days),), model, count=BLOCK, seed=1))
        seconds = time.process_time() - start
        base = base or seconds / days
        name = f"{BLOCK:,} patients followed for {days} days"
        rows.append(Row(name, seconds, "in proportion", base * days, 0.7, "the dose and the sessions cost the same"))
    return rows
