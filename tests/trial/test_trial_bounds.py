"""Group-sequential bounds against simulation, against laws, and on bad requests."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from kerp.base.errors import KerpError
from kerp.base.seeds import Stream, generator
from kerp.cli.trial import trial
from kerp.trial.bounds import KINDS, Futility, bounds, equal_information
from kerp.trial.recursion import exits

TRIALS = 400_000


def paths(information: tuple[float, ...], drift: float) -> np.ndarray:
    """Z statistics of simulated trials, built from independent increments rather than from the recursion."""
    steps = np.diff((0.0, *information))
    chance = generator(20211018, Stream.PROCESS).standard_normal((TRIALS, len(steps)))
    return np.cumsum(chance * np.sqrt(steps) + drift * steps, axis=1) / np.sqrt(information)


def simulated_rejection(z: np.ndarray, upper: tuple[float, ...], lower: tuple[float, ...]) -> tuple[float, float]:
    """Proportion that crosses the upper bound before the lower one, and the mean look number at the end."""
    crossed, dropped = z >= np.asarray(upper), z < np.asarray(lower)
    dropped[:, -1] = ~crossed[:, -1]
    left = crossed | dropped
    first = left.argmax(axis=1)
    return float(crossed[np.arange(len(z)), first].mean()), float((first + 1).mean() / z.shape[1])


@pytest.mark.parametrize(
    ("kind", "looks", "gamma", "futility"),
    [
        ("obf", 4, None, None),
        ("pocock", 5, None, None),
        ("hsd", 3, -4.0, None),
        ("ldof", 3, None, Futility(kind="ldof")),
        ("ldof", 3, None, Futility(kind="ldpocock", binding=True)),
    ],
)
def test_simulated_trials_reject_stop_and_cost_what_the_recursion_says(
    kind: str, looks: int, gamma: float | None, futility: Futility | None
) -> None:
    design = bounds(kind, equal_information(looks), 0.025, 0.9, gamma, futility)
    lower = design.futility_z or (-math.inf,) * looks
    obeyed_under_null = lower if design.binding else (-math.inf,) * looks
    power, size = simulated_rejection(paths(design.information, design.drift), design.z, lower)
    alpha, _ = simulated_rejection(paths(design.information, 0.0), design.z, obeyed_under_null)
    assert alpha == pytest.approx(0.025, abs=4 * math.sqrt(0.025 * 0.975 / TRIALS))
    assert power == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / TRIALS))
    assert size * design.inflation == pytest.approx(design.asn_ratio, abs=0.004)


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    looks=st.integers(1, 6),
    alpha=st.floats(0.001, 0.1),
    power=st.floats(0.5, 0.97),
    gamma=st.floats(-8, 4),
)
def test_every_design_spends_exactly_its_alpha_and_reaches_its_power(
    kind: str, looks: int, alpha: float, power: float, gamma: float
) -> None:
    design = bounds(kind, equal_information(looks), alpha, power, gamma)
    never = (-math.inf,) * looks
    assert exits(design.information, never, design.z, 0.0).upper.sum() == pytest.approx(alpha, abs=1e-9)
    assert exits(design.information, never, design.z, design.drift).upper.sum() == pytest.approx(power, abs=1e-9)
    assert design.inflation >= 1 - 1e-9
    assert design.asn_ratio <= design.inflation + 1e-9
    assert list(design.alpha_spent) == sorted(design.alpha_spent)


def test_one_look_is_the_fixed_trial() -> None:
    for kind in KINDS:
        design = bounds(kind, (1.0,), 0.025, 0.9, gamma=-4)
        assert design.z[0] == pytest.approx(float(ndtri(0.975)), abs=1e-9)
        assert design.inflation == pytest.approx(1, abs=1e-9)
        assert design.asn_ratio == pytest.approx(1, abs=1e-9)


def test_binding_futility_lowers_the_last_efficacy_bound_and_non_binding_leaves_it() -> None:
    free = bounds("ldof", equal_information(3), 0.025, 0.9)
    kept = bounds("ldof", equal_information(3), 0.025, 0.9, futility=Futility(kind="ldof"))
    credited = bounds("ldof", equal_information(3), 0.025, 0.9, futility=Futility(kind="ldof", binding=True))
    assert kept.z == pytest.approx(free.z, abs=1e-9)
    assert credited.z[-1] < free.z[-1] - 1e-4
    assert kept.inflation > credited.inflation > 1
    assert kept.futility_z[-1] == kept.z[-1]


def test_unequal_looks_spend_by_information_not_by_count() -> None:
    early, late = (bounds("ldof", (first, 1.0), 0.025) for first in (0.3, 0.8))
    assert early.z[0] > late.z[0]
    assert early.alpha_spent[0] == pytest.approx(2 * (1 - 0.9999787), rel=0.2)


def test_every_fault_of_a_request_is_named_at_once() -> None:
    with pytest.raises(KerpError) as caught:
        bounds("triangle", (0.5, 0.4), 0.7, 1.2)
    assert [fault.field for fault in caught.value.faults] == ["kind", "alpha", "power", "information"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--kind", "hsd", "--looks", "3"], "gamma"),
        (["--kind", "obf", "--looks", "0"], "--looks"),
        (["--kind", "obf", "--information", "0.5,one"], "--information"),
        (["--kind", "obf", "--looks", "2", "--futility", "obf"], "--futility"),
        (["--kind", "obf", "--looks", "2", "--alpha", "nan"], "alpha"),
    ],
)
def test_a_bad_request_names_its_field(arguments: list[str], field: str) -> None:
    result = CliRunner().invoke(trial, ["bounds", *arguments])
    assert isinstance(result.exception, KerpError)
    assert result.exception.faults[0].field == field


def test_bounds_command_answers_a_program_and_a_person() -> None:
    asked = ["bounds", "--kind", "obf", "--looks", "2", "--alpha", "0.025"]
    answer = json.loads(CliRunner().invoke(trial, [*asked, "--json"], catch_exceptions=False).output)
    assert answer["z"] == pytest.approx([2.79650968, 1.97743096], abs=1e-6)
    assert answer["inflation"] == pytest.approx(1.0071264, abs=1e-6)
    assert answer["asn_ratio"] == pytest.approx(0.85109447, abs=1e-6)
    assert "2.79651" in CliRunner().invoke(trial, asked, catch_exceptions=False).output


def test_a_gamma_that_a_bound_does_not_use_is_not_reported_as_if_it_did() -> None:
    assert bounds("obf", (0.5, 1.0), 0.025, gamma=-4.0).gamma is None
    assert bounds("hsd", (0.5, 1.0), 0.025, gamma=-4.0).gamma == -4.0
