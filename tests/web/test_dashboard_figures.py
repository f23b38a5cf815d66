"""What the dashboard draws, and the words in which a stopping rule is signed."""

from __future__ import annotations

from datetime import date
from itertools import takewhile

import pytest

from kerp.protocol.load import load_protocol
from kerp.session.events import SessionOpened
from kerp.session.fold import fold
from kerp.simulate.course import simulate_course
from kerp.web.office.dashboard import _scores
from kerp.web.templatetags.kerp import threshold


@pytest.mark.parametrize("protocol", ["bottemanne2021-iv", "erp-alone"])
def test_an_outcome_stands_on_its_study_day_with_and_without_a_drug(protocol):
    resolved = load_protocol(protocol)
    simulated = simulate_course(resolved, 3)
    state = fold(resolved.protocol, simulated.entries)
    days = [day for day, _ in _scores(state, "ybocs")]
    assert days[0] < 0
    assert days[-1] >= 28
    before = list(takewhile(lambda entry: not isinstance(entry.event, SessionOpened), simulated.entries))
    assert before
    assert _scores(fold(resolved.protocol, before), "ybocs") == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sbp_rise_mmhg", "systolic pressure rise"),
        ("dbp_mmhg", "diastolic pressure"),
        ("hr_high_per_min", "heart rate high"),
        ("spo2_pct", "SpO2"),
        ("confirm_within_min", "confirm within"),
        ("ceiling_from_suds", "ceiling from SUDS"),
        ("readings", "readings"),
    ],
)
def test_a_threshold_is_said_in_words_that_a_prescriber_signs(name, said):
    assert threshold(name) == said


def test_deviations_are_counts_and_forms_say_of_how_many():
    from django.template.loader import render_to_string

    from kerp.web.office import figures

    bars = figures.bars([("visit window", 2, 3, ""), ("fasting", 3, 3, "")])
    assert "/ 3" not in render_to_string("kerp/dashboard/bars.html", {"bars": bars, "counts": True})
    assert render_to_string("kerp/dashboard/bars.html", {"bars": bars}).count("/ 3") == 2


def test_both_charts_say_what_their_axes_are():
    from django.template.loader import render_to_string

    from kerp.web.office import figures

    course = figures.trajectories([("P1", [(-1.0, 26.0), (7.0, 18.0)])], 40, "Y-BOCS, total")
    drawn = render_to_string("kerp/dashboard/chart.html", {"chart": course})
    assert ">Y-BOCS, total</text>" in drawn
    assert ">study day</text>" in drawn
    lowest = max(tick.at for tick in course.y_ticks)
    assert course.bottom == lowest < course.bottom + 42 < course.height  # the title lies below the axis, inside
    came = figures.recruitment([date(2026, 3, 2)], 10, date(2026, 3, 9))
    drawn = render_to_string("kerp/dashboard/chart.html", {"chart": came})
    assert ">participants registered</text>" in drawn
    assert ">day of registration</text>" in drawn
