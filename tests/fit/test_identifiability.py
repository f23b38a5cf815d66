"""What a design would teach, against finite differences and against the known pattern of the research note."""

import numpy as np
import pytest

from kerp.base.errors import KerpError, UnknownIdError
from kerp.base.tomlfile import parse_toml
from kerp.fit.identify import identify, person_information, sensitivity
from kerp.fit.measure import Arm, Design, Measure, design_ids, expected, load_design, parse_design
from kerp.learning.priors import free_names, priors, typical
from kerp.learning.registry import model
from kerp.patient.draw import draw
from kerp.protocol.schedule import load_schedule

CORE = model("core")
RICH = (
    Measure("suds", 12, 20),
    Measure("dissociative_distress", 12, 20),
    Measure("ocdvas", 1),
    Measure("ybocs", 2.3),
)


@pytest.mark.parametrize("model_id", ["core", "reconsolidation", "linear-null"])
def test_sensitivities_match_an_independent_finite_difference(model_id):
    """The parameters are moved on the natural scale by hand and the whole chain is run again."""
    some = model(model_id)
    arm = Arm(load_schedule("concurrent-single"), 1)
    design = Design("d", "d", (arm,), RICH)
    names = free_names(some)
    held = {"zeta": 0.5, "kappa_a": 0.2} if model_id != "linear-null" else {}
    names = tuple(name for name in names if name not in held)
    exact, _ = sensitivity(design, arm, some, names, held)
    centre = typical()
    for k, name in enumerate(names):
        prior, h = priors()[name], 1e-5
        free = prior.free(np.array(centre[name]))
        ends = [float(prior.natural(free + s * h)) for s in (-1, 1)]
        shown = expected(design, arm, some, {name: np.array(ends)}, held).values
        numeric = (shown[:, 1] - shown[:, 0]) / (2 * h)
        assert np.allclose(exact[:, k], numeric, rtol=1e-5, atol=1e-4), name


def test_information_of_one_person_is_that_of_weighted_least_squares_without_differences_between_people():
    jacobian, sd = np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.1]]), np.array([1.0, 2.0, 0.5])
    shared = person_information(jacobian, sd, ("kappa_a", "kappa_c"))
    assert np.allclose(shared, jacobian.T @ np.diag(1 / sd**2) @ jacobian)
    varying = person_information(jacobian, sd, ("V0", "kappa_c"))
    assert varying[0, 0] < shared[0, 0]


@pytest.fixture(scope="module")
def designs():
    return {name: identify(load_design(name), CORE) for name in ("two-arm-ybocs", "four-infusions")}


def sd(found, name):
    return next(one.posterior_sd for one in found.learned if one.id == name)


def test_the_ybocs_alone_does_not_tell_the_acute_couplings(designs):
    learned = {one.id: one.contraction for one in designs["two-arm-ybocs"].learned}
    assert learned["kappa_a"] < 0.15
    assert learned["zeta"] < 0.1
    assert learned["kappa_c"] < 0.4


def test_repeated_infusions_with_probes_and_separate_ratings_do(designs):
    rich = designs["four-infusions"]
    assert sd(rich, "kappa_a") < 0.4
    assert sd(rich, "kappa_c") < 0.5
    assert rich.contrast_posterior_sd < 0.5 * designs["two-arm-ybocs"].contrast_posterior_sd


def test_a_separate_rating_of_the_altered_state_unties_learning_from_dissociative_distress():
    arms = (Arm(load_schedule("concurrent-single"), 30), Arm(load_schedule("erp-alone"), 30))
    joint = identify(Design("a", "a", arms, (Measure("suds", 12, 10),)), CORE)
    apart = identify(
        Design("b", "b", arms, (Measure("suds", 12, 10), Measure("dissociative_distress", 12, 10))), CORE
    )
    names = [one.id for one in joint.learned]
    a, z = names.index("kappa_a"), names.index("zeta")
    assert joint.correlation[a, z] > 0.4
    assert abs(apart.correlation[a, z]) < 0.2
    assert sd(apart, "zeta") < 0.5 * sd(joint, "zeta")
    assert sd(apart, "kappa_a") < sd(joint, "kappa_a")


def test_which_ratings_and_which_design_tell_concurrent_from_sequential_apart():
    """The table of docs/validation/mechanism.md: ratings tell the acute gain, repeated infusions tell keeping."""
    once, four = load_design("two-arm-ybocs"), load_design("four-infusions")
    scale = tuple(one for one in four.measures if one.kind == "ybocs")
    joint = tuple(one for one in four.measures if one.kind != "dissociative_distress")
    found = {
        (design.id, name): identify(Design(name, name, design.arms, measures), CORE)
        for design in (once, four)
        for name, measures in (("ybocs", scale), ("joint", joint), ("all", four.measures))
    }
    for design in (
        once,
        four,
    ):  # the Y-BOCS alone leaves the acute gain and the dissociation where the prior put them
        assert sd(found[design.id, "ybocs"], "kappa_a") > 0.9 * 0.8
        assert sd(found[design.id, "all"], "kappa_a") < 0.3 * 0.8
        assert sd(found[design.id, "all"], "zeta") < 0.7 * sd(found[design.id, "joint"], "zeta")
    assert sd(found[once.id, "all"], "kappa_c") > 0.65  # one infusion: keeping stays open whatever is rated
    assert sd(found[four.id, "all"], "kappa_c") < 0.5 * sd(found[once.id, "all"], "kappa_c")
    poor, rich = found[once.id, "ybocs"], found[four.id, "all"]
    assert poor.contrast_posterior_sd > 0.55 * poor.contrast_prior_sd
    assert rich.contrast_posterior_sd < 0.25 * rich.contrast_prior_sd


def test_more_people_never_teach_less_and_nobody_teaches_nothing():
    few, many = (identify(load_design("two-arm-ybocs", n), CORE) for n in (4, 4000))
    for a, b in zip(few.learned, many.learned, strict=True):
        assert b.posterior_sd <= a.posterior_sd <= a.prior_sd + 1e-12


def test_a_parameter_taken_as_known_is_not_asked_about():
    found = identify(load_design("two-arm-ybocs"), CORE, {"tauX": 3.0})
    assert "tauX" not in {one.id for one in found.learned}


def test_first_order_information_agrees_with_the_spread_of_the_nonlinear_model():
    """Loose on purpose: linear predictions against the model itself, over the people of a population."""
    arm = Arm(load_schedule("erp-alone"), 1)
    design = Design("d", "d", (arm,), (Measure("ybocs", 2.3),))
    names = ("V0", "n0", "eta0", "xi", "delta")
    people = draw(200, 1).parameters
    jacobian, _ = sensitivity(design, arm, CORE, names, {})
    centre, book = typical(), priors()
    moved = np.array([book[n].free(people[n]) - book[n].free(centre[n]) for n in names])
    at_centre = expected(design, arm, CORE, {"V0": np.array([centre["V0"]])}, {}).values
    linear = at_centre + jacobian @ moved
    model_itself = expected(design, arm, CORE, {n: people[n] for n in names}, {}).values
    assert np.corrcoef(linear[-1], model_itself[-1])[0, 1] > 0.9


@pytest.mark.parametrize("name", design_ids())
def test_every_shipped_design_loads_and_narrows_something(name):
    assert max(one.contraction for one in identify(load_design(name), CORE).learned) > 0.3


def test_a_bad_design_file_reports_every_fault_with_its_line():
    text = '[[arms]]\nschedule = "sequental"\npeople = -3\n[measures.mood]\nsd_points = 1\n'
    text += "[measures.ybocs]\nsd_points = 0\n"
    with pytest.raises(KerpError) as caught:
        parse_design(parse_toml(text, where="d.toml"), "d")
    words = str(caught.value)
    assert all(part in words for part in ("sequential", "people", "mood", "measures.ybocs.sd_points"))
    assert {3, 4, 7} <= {fault.line for fault in caught.value.faults}


@pytest.mark.parametrize("n", [0, -5, 10**9])
def test_a_number_of_people_out_of_range_is_refused(n):
    with pytest.raises(KerpError, match="out of range"):
        load_design("two-arm-ybocs", n)


def test_an_unknown_design_is_refused_with_the_nearest():
    with pytest.raises(UnknownIdError, match="four-infusions"):
        load_design("four-infusion")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("arms = 3", "wrong kind"),
        ('arms = ["sequential"]', "wrong kind"),
        ("measures = 3", "wrong kind"),
        ("[measures]\nybocs = 2.3", "wrong kind"),
        ('[[arms]]\nschedule = "sequential"\npeople = 2.5\n[measures.ybocs]\nsd_points = 2', "whole"),
    ],
)
def test_a_design_of_another_form_is_refused_with_its_line(text, word):
    with pytest.raises(KerpError, match=word) as caught:
        parse_design(parse_toml(text, where="d.toml"), "d")
    assert all(fault.line for fault in caught.value.faults)


def test_measures_that_an_arm_cannot_give_are_refused():
    design = Design("d", "d", (Arm(load_schedule("placebo"), 5),), (Measure("suds", 12, 10),))
    with pytest.raises(KerpError, match="no data in this arm"):
        identify(design, CORE)
