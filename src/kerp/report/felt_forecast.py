"""The felt-effect forecast of a recorded session: doses and ratings read off its log, handed to the drug room.

Where the log is blinded, or what was given is not ketamine, there is no forecast: it would tell the arm (M8).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kerp.base.elapsed import MS_PER_MIN
from kerp.base.errors import Fault, KerpError, UnknownIdError
from kerp.drug.events import Doses, NasalDevice, RateSegment
from kerp.drug.forecast import EffectRule, Forecast, Rating, forecast_session
from kerp.drug.model import load_model
from kerp.drug.population import Ancestry, people
from kerp.drug.route import load_route
from kerp.protocol.model import Agent, DoseRule
from kerp.records.logfile import Log
from kerp.records.replay import replay
from kerp.session.drug_track import Segment
from kerp.session.events import DoseComputed, FeltEffectRated, Weighed
from kerp.session.view import View

_MIN_PER_H = 60
CURVES, EVERY_MIN, HORIZON_MIN = 4000, 2.5, 240.0  # size of the panel, its grid and how far it looks
LONGEST_MIN = 1440.0  # of one session: what lies a day after its minute 0 was written down with a wrong time


@dataclass(frozen=True, slots=True)
class Person:
    """What the log does not hold and the panel needs; weight only where the log has none."""

    age_years: float
    ancestry: Ancestry | str = Ancestry.CAUCASIAN
    weight_kg: float | None = None


@dataclass(frozen=True)
class SessionForecast:
    """A forecast and what it was made from. Minutes count from the session's T0."""

    session: str
    at_min: float
    model: str
    doses: Doses
    ratings: tuple[Rating, ...]
    baseline: float
    baseline_assumed: bool
    forecast: Forecast


def forecast_log(
    log: Log, person: Person, *, session: str = "", at_min: float | None = None, seed: int = 1
) -> SessionForecast:
    """Forecast of one dosing session of a log (the last one unless named), as it stood `at_min` after its T0."""
    view = _view(log, session)
    if at_min is not None:
        assert view.t0_ms is not None
        cut = view.t0_ms + round(at_min * MS_PER_MIN)
        kept = tuple(entry for entry in log.entries if entry.recorded_ms <= cut)
        if len(kept) < 2:
            raise KerpError(Fault("nothing was recorded yet", field="at_min", found=f"{at_min:g}"))
        view = replace(_view(replace(log, entries=kept), view.record.id), now_ms=cut)
    return forecast_view(view, person, seed)


def forecast_view(view: View, person: Person, seed: int = 1) -> SessionForecast:
    """Forecast of a session as it stands in this view."""
    dose, rule = _ketamine(view), view.protocol.effect_rule
    if rule is None:
        raise KerpError(Fault("the protocol has no effect rule", where=view.protocol.id, field="effect_rule"))
    minute = _minute(view, view.now_ms)
    doses, ratings = doses_of(view), ratings_of(view)
    model = load_model(load_route(dose.route).model)
    found = forecast_session(
        model,
        people(_weight(view, person), person.age_years, person.ancestry, CURVES),
        doses,
        ratings,
        EffectRule(rule.onset_rise.value, rule.resolution_within.value),
        np.arange(0.0, _until(view, doses, ratings) + EVERY_MIN, EVERY_MIN),
        seed,
        view.effect.baseline,
    )
    effect = view.effect
    return SessionForecast(
        view.record.id, minute, model.id, doses, ratings, effect.baseline, effect.baseline_assumed, found
    )


def _until(view: View, doses: Doses, ratings: Sequence[Rating]) -> float:
    """How far the panel looks: to the horizon, or as far as anything was given or rated; not to the log's end."""
    furthest = max(HORIZON_MIN, doses.end_min, *(rating.at_min for rating in ratings))
    if furthest > LONGEST_MIN:
        message = "the felt effect of one session is forecast; a rating or a dose lies too far from its minute 0"
        ways = ("look at the times in the log; a correction can put them right",)
        allowed = f"up to {LONGEST_MIN:g} min"
        raise KerpError(Fault(message, view.record.id, None, "at_min", f"{furthest:.0f} min", allowed, ways))
    return furthest


def doses_of(view: View) -> Doses:
    """What was given so far, and the rest of the plan where the administration still runs."""
    dose = _ketamine(view)
    if dose.device_mg is not None:
        return Doses(devices=tuple(_devices(view, dose, dose.device_mg.value)))
    return Doses(tuple(_segments(view, dose)))


def ratings_of(view: View) -> tuple[Rating, ...]:
    """Felt-effect ratings from T0 on, within the forecast's horizon of the moment looked at."""
    given = ((_minute(view, item.at_ms), item.event.value) for item in view.record.of(FeltEffectRated))
    return tuple(Rating(minute, float(value)) for minute, value in given if minute >= 0)


def _view(log: Log, session: str) -> View:
    """The named dosing session, or the last one in which drug was given."""
    views = [view for view in replay(log).views if view.drug.t0_ms is not None]
    if not views:
        raise KerpError(Fault("no drug was given in this log", where=log.where))
    if not session:
        return views[-1]
    named = {view.record.id: view for view in views}
    if session not in named:
        raise UnknownIdError("dosing session", session, list(named), field="session")
    return named[session]


def _ketamine(view: View) -> DoseRule:
    dose = view.protocol.dose
    if dose is None or dose.agent not in {Agent.KETAMINE, Agent.ESKETAMINE}:
        agent = "nothing" if dose is None else str(dose.agent)
        message = "there is no forecast where ketamine or esketamine is not known to be given"
        raise KerpError(Fault(message, where=view.protocol.id, field="dose.agent", found=agent))
    return dose


def _segments(view: View, dose: DoseRule) -> Iterator[RateSegment]:
    given = 0.0
    for segment in view.drug.segments:
        rate = _mg_per_min(view, segment)
        start = _minute(view, segment.from_ms)
        ends = _planned_end(view, dose, start, rate, given)
        end = ends if segment.to_ms is None else _minute(view, segment.to_ms)
        if end > start:
            yield RateSegment(start, end, rate)
        given += max(end - start, 0.0) * rate


def _mg_per_min(view: View, segment: Segment) -> float:
    """As recorded, or from mL/h and the strength of what was prepared."""
    if segment.mg_per_min is not None:
        return float(segment.mg_per_min)
    computed = view.record.last(DoseComputed)
    strength = _mg_per_ml(computed.event) if computed else None
    if segment.ml_per_h is None or strength is None:
        message = "the log does not say how much drug ran: it is blinded, or only volumes were recorded"
        raise KerpError(Fault(message, field="rate_mg_per_min", ways_out=("unblind by the study's procedure",)))
    return float(segment.ml_per_h) / _MIN_PER_H * strength


def _mg_per_ml(computed: DoseComputed) -> float | None:
    if computed.concentration_mg_per_ml is not None:
        return float(computed.concentration_mg_per_ml)
    if computed.dose_mg is not None and computed.volume_ml:
        return float(computed.dose_mg) / float(computed.volume_ml)
    return None


def _planned_end(view: View, dose: DoseRule, start: float, mg_per_min: float, given_mg: float) -> float:
    """When a running pump will have given what was computed (or, without that, the planned length)."""
    computed = view.record.last(DoseComputed)
    if mg_per_min <= 0:
        return start
    if computed is not None and computed.event.dose_mg is not None:
        return start + max(float(computed.event.dose_mg) - given_mg, 0.0) / mg_per_min
    return max(start, dose.duration_min.value if dose.duration_min else start)


def _devices(view: View, dose: DoseRule, device_mg: float) -> Iterator[NasalDevice]:
    last, count = 0.0, 0
    for device in view.drug.devices:
        last, count = _minute(view, device.at_ms), count + device.count
        yield from (NasalDevice(last, device.each_mg(device_mg) or 0.0) for _ in range(device.count))
    gap = dose.device_gap_min.value if dose.device_gap_min else 0.0
    missing = 0 if view.drug.over else max((view.drug.planned_devices or count) - count - len(view.drug.withheld), 0)
    now = _minute(view, view.now_ms)
    for number in range(1, missing + 1):
        yield NasalDevice(max(last + number * gap, now), device_mg)


def _minute(view: View, at_ms: int) -> float:
    assert view.t0_ms is not None
    return (at_ms - view.t0_ms) / MS_PER_MIN


def _weight(view: View, person: Person) -> float:
    """The weight the dose was computed from, else the last one measured, else what the caller says."""
    computed, weighed = view.record.last(DoseComputed), view.state.everywhere(Weighed)
    if computed is not None and computed.event.weight_kg is not None:
        return float(computed.event.weight_kg)
    if weighed:
        return float(weighed[-1].event.weight_kg)
    if person.weight_kg is None:
        raise KerpError(Fault("the log holds no weight", field="weight_kg", ways_out=("say it: --weight-kg",)))
    return person.weight_kg


def as_data(found: SessionForecast) -> dict[str, Any]:
    """Plain data for `--json`."""
    forecast = found.forecast
    names = ("p5", "p25", "p50", "p75", "p95")
    return {
        "session": found.session,
        "at_min": found.at_min,
        "model": found.model,
        "doses": found.doses,
        "ratings": found.ratings,
        "baseline": found.baseline,
        "baseline_assumed": found.baseline_assumed,
        "onset_min": forecast.onset,
        "peak_min": forecast.peak,
        "resolution_min": forecast.resolution,
        "chance_of_onset": forecast.chance_of_onset,
        "chance_of_resolution": forecast.chance_of_resolution,
        "effective_curves": forecast.effective_curves,
        "curves": forecast.curves,
        "explained": forecast.explained,
        "unexplained": forecast.unexplained,
        "statement": forecast.statement,
        "times_min": forecast.times_min.tolist(),
        "felt_effect": dict(zip(names, forecast.felt.tolist(), strict=True)),
        "caveats": forecast.caveats,
    }
