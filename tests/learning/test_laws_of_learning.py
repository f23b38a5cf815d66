"""The laws MODEL.md states exactly, and the bounds every admissible patient must keep."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import Phase as Search
from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.learning.contract import Inputs, Phase
from kerp.learning.models.core import gain_limit
from kerp.learning.priors import priors, typical
from kerp.learning.registry import catalogue, model
from kerp.learning.stability import eigenvalues, rest_matrix

EVERY_MODEL = sorted(catalogue())


def within_support(name):
    prior = priors()[name]
    return st.floats(max(prior.lower, -50), min(prior.upper, 300))


@pytest.mark.parametrize("model_id", EVERY_MODEL)
def test_an_untreated_patient_stays_exactly_as_ill_as_at_intake(model_id, course):
    start = course(model_id)
    before = start.signals()
    after = start.run(42, steps=84).signals()
    assert after.O == pytest.approx(before.O, abs=1e-13)
    assert after.C == pytest.approx(before.C, abs=1e-13)


def test_the_untreated_rest_is_stable_for_every_draw_from_the_priors(population):
    p = model("core").parameters(np, population)
    growth = eigenvalues(p).real
    assert growth.shape == (400, 2)
    assert growth.max() < 0
    assert np.all(p.fixed.g < gain_limit(p.free))


def test_above_the_stability_limit_the_rest_would_not_hold():
    p = model("core").parameters(np, typical() | {"g_max": 50.0, "g_margin": 1.2})
    assert eigenvalues(p).real.max() > 0


def test_the_linear_response_is_that_of_the_step_itself():
    core = model("core")
    p = core.parameters(np, typical())
    rest, h, eps = core.init(np, p), 1e-3, 1e-6
    columns = []
    for name, sign in (("S", -1.0), ("Q", 1.0)):
        moved = core.step(np, rest._replace(**{name: getattr(rest, name) + eps}), p, Inputs(), Phase.BETWEEN, h)
        start = np.array([-eps, 0.0]) if name == "S" else np.array([0.0, eps])
        end = np.array([-(moved.S - rest.S), moved.Q - rest.Q])
        columns.append(sign * (end - start) / (eps * h))
    assert np.allclose(np.array(columns).T, rest_matrix(p), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("push", [-0.05, 0.05])
def test_after_a_push_of_either_sign_an_untreated_patient_returns(push, population):
    core = model("core")
    p = core.parameters(np, population)
    state = core.init(np, p)._replace(S=np.full(400, push))
    # distance in the coordinates of the slow mode, so that a person who returns over years is seen to return
    for _ in range(400):
        state = core.step(np, state, p, Inputs(), Phase.BETWEEN, 20.0)
    assert np.all(abs(state.S) < 0.9 * abs(push))


def test_if_every_impulse_is_neutralised_exposure_extinguishes_nothing(course):
    free = course(r=0.0, m=1.0, n0=1.0 - 1e-12)
    assert abs(free.session().state.S) < 1e-10
    assert course(r=0.85, m=1.0, n0=1.0 - 1e-12).session().state.S > 0.01


def test_more_response_prevention_is_never_worse_without_dissociation(course):
    beliefs = [course(r=r).session().run(1).session().signals().V for r in (0.0, 0.3, 0.6, 0.9, 1.0)]
    assert all(later < earlier for earlier, later in pairwise(beliefs))


def test_arms_with_the_same_exposures_are_identical_without_drug(course):
    couplings = dict(kappa_a=0.8, kappa_c=-1.5, kappa_p=0.6, psi=0.6, zeta=1.2)
    plain, coupled = course().session().run(7).session(), course(**couplings).session().run(7).session()
    assert plain.signals().O == coupled.signals().O


def test_exposure_sensitises_where_the_altered_state_is_more_aversive_than_the_fear(course):
    frightening = course(drug=lambda day: (0.7, 0.9, 0.0), zeta=3.0, V0=0.5)
    before = frightening.signals().V
    frightening.run(40 / 1440, Phase.SESSION, i=1.0)
    assert frightening.state.L < 0
    assert frightening.signals().V > before


def test_right_at_session_end_safety_has_grown_by_retention_times_labile_safety(course, ketamine):
    one = course(drug=ketamine, kappa_c=-1.0, kappa_p=0.5)
    one.run(60 / 1440, Phase.SESSION, i=1.0)
    labile, u = one.state.L, one.inputs(one.day)
    kept = one.model.retention(np, one.state, one.p, u)
    after = one.model.step(np, one.state, one.p, u, Phase.SESSION_END, 0.0)
    assert after.S == kept * labile
    assert after.L == 0


def test_the_loop_number_is_one_at_rest_below_one_after_exposure_above_one_when_safety_is_lost(course):
    assert course().signals().R == pytest.approx(1.0, abs=1e-9)
    treated = course()
    for _ in range(8):
        treated.session().run(1.0)
    before = treated.state.S
    number = treated.signals().R
    treated.run(0.01, steps=1)
    assert (number > 1) == (treated.state.S < before)


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_loop_number_exceeds_one_exactly_when_safety_is_being_lost(sign, population):
    core = model("core")
    p = core.parameters(np, population)
    state = core.init(np, p)
    state = state._replace(Q=state.Q * (1.0 + 0.3 * sign), S=0.1 + 0.0 * state.S)
    number = core.observe(np, state, p, Inputs(), Phase.BETWEEN).R
    moved = core.step(np, state, p, Inputs(), Phase.BETWEEN, 1e-6).S - state.S
    clear = abs(number - 1.0) > 1e-4
    assert np.all((number > 1)[clear] == (moved < 0)[clear])


def test_taboo_themes_extinguish_less_in_plain_exposure(course):
    overt, taboo = course(m=0.9).session(), course(m=0.3).session()
    assert 0 < taboo.state.S < 0.85 * overt.state.S


def test_dissolution_alone_leaves_a_few_per_cent_at_most(course, ketamine):
    alone = course(drug=ketamine)
    start = alone.signals().O
    alone.run(0.25, steps=60).run(2, steps=30)
    assert alone.signals().O < 0.85 * start
    alone.run(40, steps=80)
    assert 0.93 * start < alone.signals().O <= start


def test_metacognitive_therapy_keeps_more_of_the_same_session(course):
    one = course()
    one.run(60 / 1440, Phase.SESSION, i=1.0)
    plain = one.model.retention(np, one.state, one.p, Inputs())
    helped = one.model.retention(np, one.state, one.p, Inputs(mct=2.0))
    odds = (helped / (1 - helped)) / (plain / (1 - plain))
    assert odds == pytest.approx(2.0)


@settings(max_examples=60, deadline=None, phases=(Search.explicit, Search.generate))  # shrinking takes minutes
@given(data=st.data())
@pytest.mark.parametrize("model_id", EVERY_MODEL)
def test_belief_and_ratings_stay_in_bounds_for_all_admissible_parameters(model_id, data):
    some = model(model_id)
    values = {name: data.draw(within_support(name), label=name) for name in priors()}
    p = some.parameters(np, values)
    state = some.init(np, p)
    unit = st.floats(0.0, 1.0)
    for _ in range(data.draw(st.integers(1, 6))):
        u = Inputs(*(data.draw(unit) for _ in range(5)), mct=1.0)
        spans = data.draw(st.sampled_from(((Phase.BETWEEN,), (Phase.SESSION, Phase.SESSION_END))))
        for phase in spans:
            state = some.step(np, state, p, u, phase, data.draw(st.floats(1e-4, 20.0)))
            signals = some.observe(np, state, p, u, phase)
            for name in ("V", "O", "D", "n", "C"):
                value = float(getattr(signals, name))
                assert -1e-9 <= value <= 1 + 1e-9, (name, value, phase)


@pytest.mark.parametrize("model_id", EVERY_MODEL)
def test_one_long_step_and_many_short_ones_agree(model_id, course):
    long, short = course(model_id), course(model_id)
    for one, steps in ((long, 6), (short, 48)):
        one.run(60 / 1440, Phase.SESSION, i=1.0, steps=steps)
        one.state = one.model.step(np, one.state, one.p, Inputs(), Phase.SESSION_END, 0.0)
        one.run(12.0, steps=steps * 4)
    assert 40 * abs(long.signals().O - short.signals().O) < 1e-3
