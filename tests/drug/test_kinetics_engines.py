"""Closed form, matrix exponential, an ODE solver and JAX say the same; mass is kept; doses add up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.stats import norm

from kerp.drug.events import Doses, NasalDevice, RateSegment, change_rate, devices, infusion, pause, stop
from kerp.drug.kinetics import EXPONENTIAL, concentration, course_of, network_of
from kerp.drug.linear import exponential, generator_of, states_by_exponential
from kerp.drug.model import load_model, model_ids
from kerp.drug.population import draw, people, typical

TIMES = np.arange(1.0, 241.0)


def dose_of(model):
    return (
        devices(3, 5, 28) if "nasal_spray" in model.routes else change_rate(pause(infusion(35, 40), 10, 17), 30, 1.1)
    )


def by_lsoda(model, parameters, person, doses, times):
    """An independent solution: one person, each stretch of constant input integrated by LSODA."""
    total = np.zeros(times.size)
    for moiety in model.moieties:
        one = {name: value[person : person + 1] for name, value in parameters.items()}
        network = network_of(model, moiety, one, (moiety.analyte,))
        K, B, C = generator_of(network)[0], network.inputs[0], network.outputs[0, 0]
        course = course_of(doses, model, moiety.fraction_of_dose.value)
        state, edges = np.zeros(K.shape[0]), [*course.edges, times[-1] + 1]
        for k, start in enumerate(course.edges):
            state = state + B @ course.jumps[k]
            inside = times[(times >= start) & (times < edges[k + 1])]
            grid = np.unique([start, *inside, edges[k + 1]])
            push = B @ course.rates[k]
            solution = solve_ivp(
                lambda _, x, push=push, K=K: K @ x + push,
                (start, edges[k + 1]),
                state,
                "LSODA",
                grid,
                rtol=1e-9,
                atol=1e-12,
            )
            total[np.isin(times, inside)] += C @ solution.y[:, np.isin(grid, inside)]
            state = solution.y[:, -1]
    return total


@pytest.mark.parametrize("model_id", model_ids())
def test_closed_form_agrees_with_an_ode_solver(model_id):
    model = load_model(model_id)
    parameters = draw(model, people(81.0, 66.0, "asian", 3), seed=5)
    closed = concentration(model, parameters, dose_of(model), TIMES).ng_per_ml
    for person in range(3):
        assert closed[person] == pytest.approx(by_lsoda(model, parameters, person, dose_of(model), TIMES), rel=1e-6)


@pytest.mark.parametrize("model_id", model_ids())
def test_batched_exponential_agrees_with_the_closed_form(model_id):
    model = load_model(model_id)
    parameters = draw(model, people(81.0, 66.0, "japanese", 100), seed=6)
    for analyte in model.analytes:
        closed = concentration(model, parameters, dose_of(model), TIMES, analyte).ng_per_ml
        stepped = concentration(model, parameters, dose_of(model), TIMES, analyte, EXPONENTIAL).ng_per_ml
        # a metabolite's first minutes are a billionth of its peak: there, digits of the peak are what can be asked
        scale = stepped if analyte == model.main_analyte else stepped.max(axis=1, keepdims=True)
        assert np.abs((closed - stepped) / scale).max() <= 1e-9


def test_the_exponential_agrees_with_scipy(nasal):
    parameters = draw(nasal, people(70.0, 40.0, count=20), seed=1)
    K = generator_of(network_of(nasal, nasal.moieties[0], parameters, nasal.analytes))
    assert exponential(K, 7.5) == pytest.approx(expm(K * 7.5), rel=1e-9, abs=1e-14)


def test_people_whose_modes_coincide_are_still_computed_exactly(nasal, adult):
    parameters = typical(nasal, adult)
    twins = parameters | {"ka_n": parameters["ka_sw"].copy()}  # two depots with one rate: the closed form is singular
    closed = concentration(nasal, twins, devices(2, 5, 28), TIMES).ng_per_ml
    stepped = concentration(nasal, twins, devices(2, 5, 28), TIMES, method=EXPONENTIAL).ng_per_ml
    assert closed == pytest.approx(stepped, rel=1e-9)


def test_jax_gives_the_same_numbers_through_the_same_code(kamp, nasal):
    from kerp.drug.kinetics import compiled

    for model, doses in ((kamp, infusion(35, 40)), (nasal, devices(2, 5, 28))):
        parameters = draw(model, people(70.0, 40.0, count=64), seed=2)
        times = np.arange(0.0, 241.0, 20.0)
        ours = concentration(model, parameters, doses, times).ng_per_ml
        theirs = np.asarray(compiled(model, doses, times)(parameters))
        assert theirs[:, 1:] == pytest.approx(ours[:, 1:], rel=1e-9)


def test_jax_differentiates_the_same_code(kamp, adult):
    from kerp.drug.kinetics import compiled, jax_namespace

    jax, _ = jax_namespace()
    parameters = typical(kamp, adult)
    run = compiled(kamp, infusion(35, 40), [40.0])
    slope = jax.grad(lambda CL: run(parameters | {"CL": CL})[0, 0])(parameters["CL"])[0]
    step = 1e-5
    high, low = (
        concentration(kamp, parameters | {"CL": parameters["CL"] + d}, infusion(35, 40), [40.0]).ng_per_ml[0, 0]
        for d in (step, -step)
    )
    assert float(slope) == pytest.approx((high - low) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("model_id", model_ids())
def test_no_drug_is_lost_or_made(model_id):
    """What entered is in the body or has been eliminated, at any time, for every structure."""
    model = load_model(model_id)
    parameters = draw(model, people(70.0, 40.0, count=5), seed=3)
    doses = devices(2, 5, 28) if "nasal_spray" in model.routes else infusion(35, 40)
    network = network_of(model, model.moieties[0], parameters, model.analytes[:1])
    course = course_of(doses, model)
    until = 200.0
    grid = np.linspace(0.0, until, 4001)
    states = states_by_exponential(network, course, grid)
    spans = np.diff([*course.edges, until])
    amounts = course.jumps.sum(axis=0) + (course.rates * spans[:, None]).sum(axis=0)
    entered = (network.inputs @ amounts).sum(axis=1)
    losing = -generator_of(network).sum(axis=1)  # mg/min eliminated per mg, compartment by compartment
    eliminated = np.trapezoid(np.einsum("ptn,pn->pt", states, losing), grid, axis=1)
    assert states[:, -1].sum(axis=1) + eliminated == pytest.approx(entered, rel=2e-5)
    assert (states >= 0).all()


minutes = st.floats(0, 200)
rates = st.floats(0.01, 5)


@settings(max_examples=30, deadline=None)
@given(rates, rates, minutes, st.floats(1, 100))
def test_two_infusions_together_are_the_sum_of_each(first, second, start, length):
    model = load_model("kamp2020")
    parameters = typical(model, people(70.0, 40.0))
    a = Doses((RateSegment(0.0, start, first),))
    b = Doses((RateSegment(start, start + length, second),))
    both = Doses((*a.segments, *b.segments))
    curves = [concentration(model, parameters, doses, TIMES).ng_per_ml for doses in (a, b, both)]
    assert curves[2] == pytest.approx(curves[0] + curves[1], rel=1e-9, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 20), st.sampled_from(model_ids()))
def test_twice_the_dose_is_twice_the_concentration(factor, model_id):
    model = load_model(model_id)
    parameters = typical(model, people(70.0, 40.0))
    one = concentration(model, parameters, infusion(10, 40), TIMES).ng_per_ml
    more = concentration(model, parameters, infusion(10 * factor, 40), TIMES).ng_per_ml
    assert more == pytest.approx(factor * one, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 60), st.lists(st.floats(0, 30), min_size=1, max_size=3))
def test_devices_later_shift_the_curve_and_nothing_else(delay, gaps):
    model = load_model("perezruixo2021")
    parameters = typical(model, people(70.0, 40.0))
    at = np.cumsum([0.0, *gaps])[:3]
    now = Doses(devices=tuple(NasalDevice(float(t), 28.0) for t in at))
    later = Doses(devices=tuple(NasalDevice(float(t) + delay, 28.0) for t in at))
    a = concentration(model, parameters, now, TIMES).ng_per_ml
    b = concentration(model, parameters, later, TIMES + delay).ng_per_ml
    assert b == pytest.approx(a, rel=1e-7, abs=1e-9)


def test_a_pause_is_exact_and_gives_the_rest_later(kamp, adult):
    paused = pause(infusion(35, 40), 10, 15)
    assert [(s.from_min, s.to_min) for s in paused.segments] == [(0, 10), (15, 45)]
    assert paused.dose_mg == pytest.approx(35)
    parameters = typical(kamp, adult)
    whole = concentration(kamp, parameters, paused, TIMES).ng_per_ml
    parts = sum(concentration(kamp, parameters, Doses((s,)), TIMES).ng_per_ml for s in paused.segments)
    assert whole == pytest.approx(parts, rel=1e-12)


def test_a_stopped_infusion_follows_the_planned_one_until_the_stop(kamp, adult):
    parameters = typical(kamp, adult)
    planned = concentration(kamp, parameters, infusion(35, 40), TIMES).ng_per_ml[0]
    stopped = concentration(kamp, parameters, stop(infusion(35, 40), 25), TIMES).ng_per_ml[0]
    assert stopped[:25] == pytest.approx(planned[:25], rel=1e-12)
    assert (stopped[26:] < planned[26:]).all()


def test_the_speed_job_population_has_the_mean_another_engine_found(published):
    """Row 2: that population's seed is not on record; its means must lie within 4 Monte-Carlo SE of the exact ones.

    The exact means come from quadrature over both log-normals.
    """
    job, p = published.SPEED_JOB, published.SPEED_JOB_PARAMETERS
    z, w = np.polynomial.hermite_e.hermegauss(24)
    w = w / w.sum()
    grid = np.stack(np.meshgrid(z, z, indexing="ij"), -1).reshape(-1, 2)
    weight = np.outer(w, w).ravel()
    means, sds = {}, {}
    domino = load_model("domino1984")
    from kerp.drug import structure
    from kerp.drug.kinetics import solved

    one = np.ones(len(grid))
    values = {name: one * value for name, value in p.items()}
    values["CL"] = values["CL"] * np.exp(np.sqrt(np.log1p(job["cv_cl"] ** 2)) * grid[:, 0])
    values["V1"] = values["V1"] * np.exp(np.sqrt(np.log1p(job["cv_v1"] ** 2)) * grid[:, 1])
    network = structure.mammillary(values, ("ketamine",), np)
    curve = solved(network, course_of(infusion(35, 40), domino), np.array([40.0, 240.0]))[:, 0]
    for column, minute in enumerate((40, 240)):
        means[minute] = weight @ curve[:, column]
        sds[minute] = np.sqrt(weight @ (curve[:, column] - means[minute]) ** 2)
    se = {minute: sd / np.sqrt(job["people"]) for minute, sd in sds.items()}
    assert abs(means[40] - job["mean_at_40"]) < 4 * se[40]
    assert abs(means[240] - job["mean_at_240"]) < 4 * se[240]
    assert 2 * (1 - norm.cdf(4)) < 1e-4  # what four standard errors leave to chance
