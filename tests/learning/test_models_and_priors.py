"""Every variant keeps the contract, differs where it says so, and its numbers are sourced."""

from pathlib import Path

import numpy as np
import pytest

from kerp.base.errors import KerpError, UnknownIdError
from kerp.base.tomlfile import parse_toml
from kerp.learning.contract import Inputs, LearningModel, Phase
from kerp.learning.indices import aberrant_update_hours, paradoxical_probability
from kerp.learning.models.core import EQUATIONS
from kerp.learning.plasticity import window
from kerp.learning.priors import checked, free_names, names, parse, priors, typical
from kerp.learning.registry import catalogue, code_of, line_of, model

EVERY_MODEL = sorted(catalogue())


@pytest.mark.parametrize("model_id", EVERY_MODEL)
def test_every_model_keeps_the_contract_and_has_a_card(model_id):
    some = model(model_id)
    assert isinstance(some, LearningModel)
    assert some.card.id == model_id
    assert some.card.idea
    assert some.card.predicts
    assert set(names(some)) <= set(priors())
    assert free_names(some)


@pytest.mark.parametrize("model_id", EVERY_MODEL)
def test_every_equation_names_the_code_that_does_it(model_id):
    for equation in model(model_id).card.equations:
        assert callable(code_of(equation))
        path, line = line_of(equation).split(":")
        source = Path(__file__).parents[2].joinpath(path).read_text().splitlines()
        assert equation.code.rsplit(".", 1)[1] in source[int(line) - 1]


def test_an_unknown_model_is_refused_with_the_nearest_names():
    with pytest.raises(UnknownIdError, match="reconsolidation"):
        model("reconsolidaton")


def test_dissolution_only_ignores_the_couplings():
    loose = typical() | {"kappa_a": 0.8, "kappa_c": 1.0, "kappa_p": 0.5}
    bound = model("dissolution-only").parameters(np, loose)
    assert (bound.free.kappa_a, bound.free.kappa_c, bound.free.kappa_p) == (0, 0, 0)


def test_fear_that_is_dissolved_cannot_be_extinguished_under_the_activated_fear_model(course, ketamine):
    core, activated = course("core", ketamine), course("activated-fear", ketamine)
    assert activated.session().state.S < 0.95 * core.session().state.S


def test_state_dependent_safety_is_expressed_less_when_it_was_learned_under_drug(course, ketamine):
    assert course("state-dependent", ketamine).session().state.S < 0.8 * course("core", ketamine).session().state.S
    assert course("state-dependent").session().state.S == pytest.approx(course("core").session().state.S)


@pytest.mark.parametrize(("kappa_r", "direction"), [(-0.05, -1), (0.05, 1)])
def test_a_brief_retrieval_under_drug_rewrites_the_trace_in_the_direction_of_its_sign(
    kappa_r, direction, course, ketamine
):
    rewritten = course("reconsolidation", ketamine, kappa_r=kappa_r)
    rewritten.run(20 / 1440).session(minutes=5)
    same = course("core", ketamine).run(20 / 1440).session(minutes=5)
    assert np.sign(rewritten.signals().V - same.signals().V) == direction
    sober = course("reconsolidation", kappa_r=kappa_r).session(minutes=5)
    assert sober.state.T == pytest.approx(0.7)


def test_with_valence_asymmetry_the_drug_does_not_speed_sensitisation(course):
    frightening = lambda day: (0.7, 0.9, 0.0)  # noqa: E731
    symmetric = course("core", frightening, zeta=3.0, V0=0.5, kappa_a=1.0)
    asymmetric = course("valence-asymmetry", frightening, zeta=3.0, V0=0.5, kappa_a=1.0)
    for one in (symmetric, asymmetric):
        one.run(20 / 1440, Phase.SESSION, i=1.0)
    assert symmetric.state.L < 1.3 * asymmetric.state.L < 0


def test_the_linear_null_falls_by_its_slope_for_each_hour_of_exposure(course):
    null = course("linear-null")
    start = null.signals().O
    for _ in range(5):
        null.session().run(1)
    assert null.signals().O / start == pytest.approx(1 - 5 * 0.043, abs=1e-6)


def test_the_plasticity_window_peaks_at_one_and_saturates_over_doses():
    day = np.linspace(0, 20, 4001)
    one = window(np, day, [0.0], np.array([1.0]), 0.5, 5.0)
    assert one.max() == pytest.approx(1.0, abs=1e-6)
    assert day[one.argmax()] == pytest.approx(np.log(10) * 2.5 / 4.5, abs=0.01)
    many = window(np, day, [0.0, 3.0, 6.0], np.array([1.0, 1.0, 2.0]), 0.5, 5.0)
    assert many.max() <= 1.0
    assert np.all(many >= one - 1e-12)
    half = window(np, day, [0.0], np.array([0.5]), 0.5, 5.0)
    assert np.allclose(half, 0.5 * one)


def test_the_reference_person_is_that_of_the_model_page():
    values = typical()
    printed = dict(
        V0=0.7, n0=0.75, eta0=0.025, xi=0.09, delta=0.012, psi=0.4, tauX=3, m=0.9, r=0.85, N=12, tauQ=10, rho=0.6
    )
    assert {name: values[name] for name in printed} == printed
    assert all(values[name] == 0 for name in ("kappa_a", "kappa_c", "kappa_p", "zeta"))


def test_the_prior_medians_of_the_couplings_straddle_zero_and_one_in_ten_is_paradoxical():
    u = np.linspace(1e-4, 1 - 1e-4, 20001)
    book = priors()
    assert 0.45 < np.mean(book["kappa_a"].drawn(u) > 0) < 0.55
    assert 0.45 < np.mean(book["kappa_c"].drawn(u) > 0) < 0.55
    assert np.mean(book["zeta"].drawn(u) > 0.8) == pytest.approx(0.1 * 0.84 + 0.9 * 0.0077, abs=0.01)
    assert np.all(book["kappa_c"].drawn(u, sign=-1) <= 0)


def test_prior_draws_are_the_distributions_they_name():
    u = (np.arange(20000) + 0.5) / 20000
    book = priors()
    assert np.median(book["eta0"].drawn(u)) == pytest.approx(0.025, rel=1e-3)
    assert np.mean(book["psi"].drawn(u)) == pytest.approx(0.4, abs=1e-3)
    assert np.std(np.log(book["tauX"].drawn(u))) == pytest.approx(0.5, rel=0.01)
    assert np.median(book["V0"].drawn(u)) == pytest.approx(0.7006, abs=1e-3)


@pytest.mark.parametrize("bad", [{"kapa_a": 0.1}, {"kappa_a": float("nan")}, {"psi": 1.4}, {"delta": -0.1}])
def test_a_parameter_outside_its_support_or_unknown_is_refused(bad):
    with pytest.raises(KerpError):
        checked(bad)


def test_a_priors_file_with_two_faults_reports_both_with_their_lines():
    text = '[parameters.a]\nmeaning = "x"\n[parameters.b]\nmeaning="x"\nrole="x"\nfamily="odd"\ntypical=1\nunit="1"\n'
    text += 'source="kerp"\nmark="assumed"\n'
    with pytest.raises(KerpError) as caught:
        parse(parse_toml(text, where="p.toml"))
    assert [fault.line for fault in caught.value.faults] == [1, 6]


def test_the_aberrant_update_index_has_the_sign_of_the_coupling_and_is_zero_without_drug():
    effect, days = np.full((2, 10), 0.7), np.full(10, 0.01)
    index = aberrant_update_hours(np.array([0.8, -0.8]), effect, days)
    assert index[0] > 0 > index[1]
    assert aberrant_update_hours(np.array([0.8]), np.zeros((1, 10)), days)[0] == 0
    assert index[0] == pytest.approx(24 * 0.1 * np.expm1(2 * 0.8 * 0.7))


def test_the_paradoxical_index_tells_the_components_apart():
    low, high = paradoxical_probability(np.array([0.05, 1.1]))
    assert low < 0.01
    assert high > 0.9


def test_numpy_and_jax_agree_to_nine_digits_in_every_model(population):
    jax = pytest.importorskip("jax")
    u = Inputs(0.5, 0.6, 0.3, 1.0, 0.8, 1.2)
    with jax.enable_x64(True):
        for some in catalogue().values():
            values = {name: population[name][:20] for name in names(some)}
            results = []
            for xp in (np, jax.numpy):
                p = some.parameters(xp, {name: xp.asarray(value) for name, value in values.items()})
                state = some.init(xp, p)
                for phase, days in ((Phase.SESSION, 0.02), (Phase.SESSION_END, 0.0), (Phase.BETWEEN, 1.5)):
                    state = some.step(xp, state, p, u, phase, days)
                signals = some.observe(xp, state, p, u, Phase.BETWEEN)
                results.append(np.array([np.asarray(x) for x in (*state, *signals)]))
            assert np.allclose(*results, rtol=0, atol=1e-9, equal_nan=True), some.card.id


def test_gradients_are_finite_and_none_is_dead_at_the_prior_centre():
    jax = pytest.importorskip("jax")
    core = model("core")
    centre = typical() | {"zeta": 0.9, "kappa_a": 0.3}

    def belief(free):
        p = core.parameters(jax.numpy, centre | free)
        state = core.init(jax.numpy, p)
        for phase, days, E in ((Phase.SESSION, 0.04, 0.7), (Phase.SESSION_END, 0.0, 0.0), (Phase.BETWEEN, 2.0, 0.01)):
            state = core.step(jax.numpy, state, p, Inputs(E, E, 0.5, 1.0, 0.8), phase, days)
        return core.observe(jax.numpy, state, p, Inputs(), Phase.BETWEEN).C

    with jax.enable_x64(True):
        free = {name: centre[name] for name in free_names(core)}
        gradient = {name: float(value) for name, value in jax.grad(belief)(free).items()}
    assert all(np.isfinite(value) and value != 0 for value in gradient.values()), gradient


def test_the_core_equations_are_all_listed():
    assert len(EQUATIONS) == 17
