"""The reference table of MODEL.md through the whole chain: schedule, kinetics, effect, learning, window means."""

import numpy as np
import pytest

from kerp.learning.registry import catalogue, model
from kerp.patient.draw import draw, reference_person
from kerp.protocol.schedule import load_schedule, schedule_ids
from kerp.simulate.population.compare import Request, walk
from kerp.simulate.population.grid import build
from kerp.simulate.population.outcome import window_means
from kerp.simulate.population.process import Block

DAYS = (1, 3, 7, 14, 28, 42)
# MODEL.md, "Reference values": ours, from an independent Euler check with 1-min steps.
TABLE = {
    ("placebo", ()): (0, 0, 0, 0, 0, 0),
    ("ketamine-alone", ()): (-29.5, -18.7, -8.2, -4.3, -3.4, -3.3),
    ("erp-alone", ()): (0, -9.2, -19.8, -42.9, -45.9, -47.0),
    ("sequential", ()): (-29.5, -26.2, -26.7, -46.0, -48.3, -49.2),
    ("concurrent", ()): (-34.0, -26.3, -26.7, -46.0, -48.3, -49.2),
    ("concurrent", (("kappa_a", 0.8), ("kappa_c", 0.4))): (-36.2, -28.4, -28.9, -47.7, -49.9, -50.7),
    ("sequential", (("kappa_p", 0.6),)): (-29.6, -33.6, -41.1, -59.8, -60.8, -60.7),
    ("concurrent", (("kappa_p", 0.6),)): (-34.3, -29.6, -37.3, -57.2, -58.6, -58.7),
    ("concurrent", (("kappa_c", -1.5), ("kappa_p", 0.6))): (-32.3, -27.2, -35.1, -55.6, -57.3, -57.6),
    ("concurrent", (("zeta", 1.2),)): (-30.0, -22.8, -23.0, -43.1, -45.6, -46.6),
    ("erp-alone", (("m", 0.3),)): (0, -6.5, -14.3, -33.0, -34.9, -35.7),
    ("sequential", (("m", 0.3),)): (-30.9, -25.6, -23.7, -39.2, -40.6, -41.4),
}


def scores(arm, people=None, model_id="core", fineness=1, weights=(18.0, 16.0), days=(0, *DAYS), **fixed):
    """24-h scores (days, people): by default on the weights of the reference table."""
    schedule = load_schedule(arm)
    request = Request((schedule,), model(model_id), fixed=fixed, typical=True)
    grid = build(schedule, fineness)
    who = reference_person(fixed) if people is None else people
    done = walk(request, schedule, who, Block(0, 0), grid)
    means = [window_means(done.model, done.p, done.track, grid, float(day), 1.0) for day in days]
    return np.array([weights[0] * o + weights[1] * c for o, c in means])


def change(arm, **fixed):
    values = scores(arm, **fixed)[:, 0]
    return 100.0 * (values[1:] / values[0] - 1.0)


@pytest.mark.parametrize(("arm", "fixed"), TABLE, ids=str)
def test_every_arm_and_day_of_the_reference_table_within_one_and_a_half_points(arm, fixed):
    assert np.abs(change(arm, **dict(fixed)) - TABLE[arm, fixed]).max() < 0.5


@pytest.mark.parametrize(("arm", "fixed"), TABLE, ids=str)
def test_halving_the_grid_changes_the_ybocs_by_less_than_a_thousandth_of_a_point(arm, fixed):
    weights = (20.0, 20.0)
    coarse = scores(arm, weights=weights, **dict(fixed))
    assert np.abs(coarse - scores(arm, fineness=2, weights=weights, **dict(fixed))).max() < 1e-3


def moved_by_halving(arm, people, model_id="core"):
    """Largest change of each person's Y-BOCS on any day of the arm when every step is halved."""
    days = range(load_schedule(arm).follow_up_days + 1)
    both = (scores(arm, people, model_id, fineness, (20.0, 20.0), days) for fineness in (1, 2))
    return np.abs(np.subtract(*both)).max(axis=0)


@pytest.mark.parametrize("arm", ["concurrent", "four-concurrent"])
def test_halving_the_grid_moves_nobody_in_a_drawn_population_by_a_thousandth_of_a_point(arm):
    assert moved_by_halving(arm, draw(300, 3)).max() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("arm", schedule_ids())
def test_halving_the_grid_moves_none_of_two_thousand_people_in_any_arm(arm):
    moved = moved_by_halving(arm, draw(2000, 3))
    assert moved.max() < 6e-4
    assert np.quantile(moved, 0.95) < 2e-4


@pytest.mark.slow
@pytest.mark.parametrize("model_id", sorted(catalogue()))
def test_halving_the_grid_moves_nobody_in_any_model(model_id):
    assert moved_by_halving("four-concurrent", draw(500, 5), model_id).max() < 1e-3


def test_placebo_stays_where_it_started_for_everyone():
    values = scores("placebo", draw(300, 5))
    assert np.abs(values - values[0]).max() < 1e-9


def test_ketamine_alone_acts_within_a_day_and_is_gone_in_two_weeks():
    fall = change("ketamine-alone")
    assert fall[0] < -20
    assert fall[3] > -5


def test_under_ketamine_obsessions_fall_before_compulsions():
    days = (0, 0.25, 1, 2)
    obsessions = scores("ketamine-alone", weights=(1.0, 0.0), days=days)[:, 0]
    compulsions = scores("ketamine-alone", weights=(0.0, 1.0), days=days)[:, 0]
    o, c = obsessions / obsessions[0] - 1, compulsions / compulsions[0] - 1
    assert np.all(o[1:] < c[1:])
    assert o[2] < o[3]  # obsessions are already coming back
    assert c[3] < c[1]  # while compulsions are lower than in the first hours: habit follows


def test_exposure_alone_is_gradual_and_lasts():
    fall = change("erp-alone")
    assert fall[0] == 0
    assert np.all(np.diff(fall[:4]) < 0)
    assert fall[5] < fall[3] + 2


@pytest.mark.parametrize(
    ("fixed", "better"),
    [
        ({"kappa_a": 0.8, "kappa_c": 0.8}, "concurrent"),
        ({"kappa_a": -0.8, "kappa_c": -1.5}, "sequential"),
        ({"kappa_p": 0.6}, "sequential"),
        ({"kappa_p": -0.6}, "concurrent"),
        ({"zeta": 1.2}, "sequential"),
    ],
)
def test_the_sign_of_the_couplings_decides_which_arm_is_ahead(fixed, better):
    sequential, concurrent = (scores(arm, **fixed)[4, 0] for arm in ("sequential", "concurrent"))
    assert (concurrent < sequential) == (better == "concurrent")


def test_under_dissolution_only_concurrent_and_sequential_agree_within_three_tenths_of_a_point():
    arms = [
        scores(arm, model_id="dissolution-only", weights=(20.0, 20.0))[4, 0] for arm in ("sequential", "concurrent")
    ]
    assert abs(arms[0] - arms[1]) < 0.3


def test_taboo_themes_do_worse_in_plain_exposure_and_gain_more_from_the_drug():
    overt = [change(arm, m=0.9)[3] for arm in ("erp-alone", "sequential")]
    taboo = [change(arm, m=0.3)[3] for arm in ("erp-alone", "sequential")]
    assert taboo[0] > overt[0] + 5
    assert taboo[1] - taboo[0] < overt[1] - overt[0] - 1


def test_repeated_infusions_separate_what_one_infusion_cannot():
    acute = {"kappa_a": 0.8, "kappa_c": 0.4}
    blocked = {"kappa_c": -1.5, "kappa_p": 0.6}
    gap = {}
    for name, fixed in (("acute", acute), ("block", blocked)):
        four = [scores(arm, days=(28,), **fixed)[0, 0] for arm in ("four-concurrent", "four-sequential")]
        gap[name] = four[0] - four[1]
    assert gap["acute"] < -1.0
    assert gap["block"] > 2.0


@pytest.mark.parametrize("model_id", ["core", "reconsolidation", "linear-null", "valence-asymmetry"])
def test_compiled_and_plain_executors_agree_to_nine_digits(model_id):
    pytest.importorskip("jax")
    schedule = load_schedule("concurrent-single")
    people, block = draw(40, 2), Block(2, 0)
    grid = build(schedule, until_day=3.0)
    walked = [
        walk(Request((schedule,), model(model_id), seed=2, engine=engine), schedule, people, block, grid, (3, 20))
        for engine in ("numpy", "jax")
    ]
    plain, fast = (done.track for done in walked)
    assert np.allclose(plain.obsession, fast.obsession, rtol=0, atol=1e-9)
    assert np.allclose(plain.compulsion, fast.compulsion, rtol=0, atol=1e-9)
    for a, b in zip(plain.states, fast.states, strict=True):
        assert np.allclose(a, b, rtol=0, atol=1e-9)


def written_out(v, r, drug, fine):
    """The right-hand side of MODEL.md for one person, `side(t, y, session)`, and the habit that it starts from."""
    phi = v["xi"] * v["eta0"] * v["N"] * (1 - v["n0"]) / (v["n0"] * (1 - v["V0"]))
    star = 1 / (1 - v["V0"]) + v["delta"] / (v["xi"] * v["eta0"] * v["N"] * v["V0"] * (1 - v["n0"]))
    g, Q0 = min(6.0, 0.9 * star), v["rho"] * v["V0"]

    def ne_of(Q, X, session):
        n = 1 / (1 + np.exp(-(np.log(v["n0"] / (1 - v["n0"])) + g * (Q - Q0) / v["rho"])))
        return n, n * (v["m"] * (1 - r * session) + (1 - v["m"]) * (1 - v["psi"] * X))

    def right_side(t, y, session):
        S, L, Q, X, _ = y
        E, F, P = (driven(series, t, fine) for series in (drug.E, drug.F, drug.P))
        V = v["V0"] - S - L
        obsession = V * (1 - v["psi"] * X)
        _, ne = ne_of(Q, X, session)
        eta = v["eta0"] * np.exp(v["kappa_a"] * E + v["kappa_p"] * P)
        x = v["zeta"] * F
        lam = x / (1 + x**8) ** 0.125
        dL = (1 - ne) * eta * 1440 * (V - lam) if session else 0.0
        dS = (
            0.0
            if session
            else v["xi"] * (1 - ne) * eta * v["N"] * obsession - phi * ne * obsession * (1 - V) - v["delta"] * S
        )
        dQ = ne / v["n0"] * (v["rho"] * obsession - Q) / v["tauQ"]
        return dS, dL, dQ, v["k_on"] * E * (1 - X) - X / v["tauX"], E

    return right_side, Q0


def driven(series, t, fine):
    """The drug's part at a moment."""
    return np.interp(t, fine, series[:, 0], left=0.0)


def test_the_vectorised_executor_and_an_ordinary_solver_agree():
    """An independent executor: SciPy's LSODA on the right-hand side written out from MODEL.md, one person."""
    from scipy.integrate import solve_ivp

    from kerp.patient.response import drug_inputs

    fixed = {"kappa_a": 0.5, "kappa_c": -0.7, "kappa_p": 0.4, "zeta": 0.6}
    person = reference_person(fixed)
    v = {name: float(column[0]) for name, column in person.parameters.items()}
    r = 0.85
    schedule = load_schedule("concurrent")
    fine = np.concatenate([np.arange(1, 2880) / 2880, np.linspace(1, 15, 4000)])
    drug = drug_inputs(person, schedule, fine)
    right_side, Q0 = written_out(v, r, drug, fine)
    y, now = np.array([0.0, 0.0, Q0, 0.0, 0.0]), 0.0
    for session in (*schedule.sessions, None):
        end = 14.0 if session is None else session.day
        for stop, on in ((end, 0), (end if session is None else session.end_day, 1)):
            if stop > now:
                before = y[4]
                solved = solve_ivp(
                    right_side, (now, stop), y, args=(on,), method="LSODA", rtol=1e-8, atol=1e-10, max_step=0.05
                )
                y, now = solved.y[:, -1].copy(), stop
                if on:
                    Ebar = (y[4] - before) / (session.end_day - session.day)
                    kept = (
                        np.log(v["xi"] / (1 - v["xi"]))
                        + v["kappa_c"] * Ebar
                        + v["kappa_p"] * driven(drug.P, now, fine)
                    )
                    y[0], y[1] = y[0] + y[1] / (1 + np.exp(-kept)), 0.0
    grid = build(schedule)
    request = Request((schedule,), model("core"), fixed=fixed, typical=True)
    done = walk(request, schedule, person, Block(0, 0), grid, (grid.panel_ending_at(14.0),))
    assert float(done.track.states.S[0, 0]) == pytest.approx(y[0], abs=5e-5)
    assert float(done.track.states.Q[0, 0]) == pytest.approx(y[2], abs=5e-5)
    assert float(done.track.states.X[0, 0]) == pytest.approx(y[3], abs=5e-5)
