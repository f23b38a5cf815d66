"""The study dashboard: recruitment, visits, deviations by rule, adverse events with clocks, completeness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from kerp.session.asked import scale_everywhere
from kerp.session.calendar import study_days_between
from kerp.session.deviations import deviations
from kerp.session.events import AdverseEvent, Withdrawal
from kerp.session.state import State
from kerp.session.visits import VisitState, dose_entries, exposure_entries
from kerp.web.accounts.doors import needs, person_of
from kerp.web.actions.record import moment
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log, Participant
from kerp.web.office import answers, asked, figures, standing
from kerp.web.office.desk import log_of, visible_participants


@require_safe
@needs("dashboard_view")
def dashboard(request: HttpRequest) -> HttpResponse:
    """One page over every participant this person may see. No arm anywhere."""
    person = person_of(request)
    courses = [_course(one) for one in visible_participants(person)]
    visits = [row for course in courses for row in course["visits"]]
    target = sum({course["participant"].study.pk: course["participant"].study.target for course in courses}.values())
    days = [course["participant"].registered_at.date() for course in courses]
    context = {
        "tiles": _tiles(courses, visits, target),
        "recruitment": figures.recruitment(days, target, timezone.now().date()),
        "visit_bars": _visit_bars(visits),
        "deviation_bars": _deviation_bars(courses),
        "adverse": [row for course in courses for row in course["adverse"]],
        "completeness": _completeness(courses),
        "studies": sorted({str(course["participant"].study.code) for course in courses}),
        "show_participants": person.may("participant_view"),
        "trajectories": _trajectories(courses) if person.may("trajectories_view") else None,
    }
    return render(request, "kerp/dashboard/dashboard.html", context)


def _course(participant: Participant) -> dict[str, Any]:
    log = log_of(participant)
    protocol, state = protocol_of(log), state_of(log)
    return {
        "participant": participant,
        "protocol": protocol,
        "state": state,
        "visits": standing.visits(log, protocol, state),
        "sessions": standing.sessions(log, protocol, state),
        "deviations": deviations(protocol, state, standing.now_ms(log)),
        "adverse": _adverse(log, participant, state),
        "withdrawn": state.course.last(Withdrawal) is not None,
    }


def _adverse(log: Log, participant: Participant, state: State) -> list[dict[str, Any]]:
    """Every adverse event with its clock: how long it has been open."""
    open_ids = {item.id for item in standing.open_adverse_events(state)}
    now = timezone.now()
    return [
        {
            "participant": participant,
            "event": item.event,
            "open": item.id in open_ids,
            "since": moment(log, item.at_ms),
            "hours": round((now - moment(log, item.at_ms)) / timedelta(hours=1), 1),
        }
        for item in state.everywhere(AdverseEvent)
    ]


def _tiles(courses: list[dict[str, Any]], visits: list[dict[str, Any]], target: int) -> list[dict[str, Any]]:
    overdue = sum(row["class"] == "overdue" for row in visits)
    serious = sum(row["event"].serious and row["open"] for course in courses for row in course["adverse"])
    dosed = sum(held.view.drug.given for course in courses for held in course["sessions"])
    running = sum(held.state == "running" for course in courses for held in course["sessions"])
    return [
        {"value": len(courses), "text": f"registered of {target} planned" if target else "registered"},
        {"value": dosed, "text": "doses given"},
        {"value": running, "text": "sessions running now"},
        {"value": sum(row["class"] == "due" for row in visits), "text": "visits due"},
        {"value": overdue, "text": "visits overdue", "alarm": overdue > 0},
        {"value": serious, "text": "serious events open", "alarm": serious > 0},
        {"value": sum(course["withdrawn"] for course in courses), "text": "withdrawn"},
    ]


_VISIT_KINDS = (
    ("done in window", {VisitState.DONE}, ""),
    ("done outside", {VisitState.DONE_OUTSIDE}, "warn"),
    ("due", {VisitState.DUE}, "quiet"),
    ("overdue, missed", {VisitState.ESCALATED, VisitState.MISSED}, "stop"),
)


def _visit_bars(visits: list[dict[str, Any]]) -> tuple[figures.Bar, ...]:
    states = [row["status"].state for row in visits if row["status"].state is not VisitState.PLANNED]
    counted = [
        (label, sum(state in kinds for state in states), len(states), kind) for label, kinds, kind in _VISIT_KINDS
    ]
    return figures.bars(counted) if states else ()


def _deviation_bars(courses: list[dict[str, Any]]) -> tuple[figures.Bar, ...]:
    """Counts by rule, never unblinded."""
    found = [deviation for course in courses for deviation in course["deviations"]]
    major = {deviation.kind for deviation in found if deviation.major}
    counts = Counter(deviation.kind for deviation in found).most_common(10)
    most = max((count for _, count in counts), default=0)
    return figures.bars([(kind.replace("_", " "), n, most, "warn" if kind in major else "") for kind, n in counts])


def _completeness(courses: list[dict[str, Any]]) -> tuple[figures.Bar, ...]:
    """Per instrument: answered of those whose visit was held."""
    wanted: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for course in courses:
        for visit in _held(course):
            for item in asked.assessments(course["protocol"], course["state"], visit, show_scores=False):
                if item.assessment.required:
                    name = answers.instrument(item.assessment.instrument).short_name
                    wanted[name] += 1
                    given[name] += item.answered is not None
    rows = [(name, given[name], count, "" if given[name] == count else "warn") for name, count in wanted.items()]
    return figures.bars(rows)


def _held(course: dict[str, Any]) -> list[Any]:
    done = {VisitState.DONE, VisitState.DONE_OUTSIDE}
    return [row["visit"] for row in course["visits"] if row["status"].state in done]


def _trajectories(courses: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The primary outcome over study days, one line per participant."""
    primary = next(
        (use.id for course in courses for use in course["protocol"].instruments if use.role == "primary"), ""
    )
    if not primary:
        return None
    scale = answers.instrument(primary)
    series = [(c["participant"].code, _scores(c["state"], primary)) for c in courses]
    highest = scale.total_range[1] if scale.total_range else 100
    chart = figures.trajectories(
        [(name, points) for name, points in series if points], highest, f"{scale.short_name}, total"
    )
    return {"scale": scale, "chart": chart} if chart else None


def _scores(state: State, instrument: str) -> Sequence[tuple[float, float]]:
    """By study day: from the first dose or, without a drug, the first exposure. Nothing before there is one."""
    starts = dose_entries(state) or exposure_entries(state)
    points = []
    for item in scale_everywhere(state, instrument):
        score = answers.scored(item.event)
        if starts and score and score.total is not None:
            points.append((float(study_days_between(starts[0], item.entry)), score.total))
    return points
