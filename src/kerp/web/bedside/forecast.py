"""What the models expect of this session: felt effect, concentration with its sampling site. Model output, no gate.

Never where the study is blinded: it would tell the arm (M8).
"""

from __future__ import annotations

import tomllib
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from kerp.base.data import DATA
from kerp.base.errors import Fault, KerpError
from kerp.drug.model import load_model
from kerp.drug.route import load_route
from kerp.drug.simulation import LEVELS, Request, simulate
from kerp.report.felt_forecast import EVERY_MIN, HORIZON_MIN, Person, doses_of, forecast_view
from kerp.session.events import EligibilityItem
from kerp.session.state import State
from kerp.session.view import View, view_of
from kerp.web.course import protocol_of, state_at_head
from kerp.web.models import Log
from kerp.web.models import Person as Account

CURVES, SEED = 800, 1
_KEPT = 64
_made: OrderedDict[tuple[Any, ...], dict[str, Any]] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Age:
    """Of the participant: from the screening, or assumed."""

    years: float
    assumed: bool


def may_see(log: Log, person: Account) -> bool:
    """Nobody in a blinded study; in an open one whoever sees the session and the dose."""
    study = log.participant.study
    return not study.blinded and not protocol_of(log).blinded and person.may("session_view")


def forecast_of(log: Log, session: str, now_ms: int) -> dict[str, Any]:
    """The forecast as it stands; `KerpError` where there is none."""
    protocol, state = protocol_of(log), state_at_head(log)
    held = state.session(session)
    if held is None:
        raise KerpError(Fault("this session was not opened", field="session", found=session))
    view = view_of(protocol, state, held, now_ms)
    if view.t0_ms is None:
        raise KerpError(Fault("nothing was given yet: a forecast starts with minute 0"))
    key = (log.id, session, log.head_hash, (now_ms - view.t0_ms) // 60_000)
    if key not in _made:
        _made[key] = _forecast(view, age_of(state))
        while len(_made) > _KEPT:
            _made.popitem(last=False)
    return _made[key]


def _forecast(view: View, age: Age) -> dict[str, Any]:
    found = forecast_view(view, Person(age.years), SEED)
    ahead = found.forecast
    return {
        "session": view.record.id,
        "model_output": True,
        "t0_ms": view.t0_ms,
        "felt": _band(ahead.times_min, ahead.felt),
        "onset_min": _quantiles(ahead.onset),
        "peak_min": _quantiles(ahead.peak),
        "resolution_min": _quantiles(ahead.resolution),
        "chance_of_onset": round(ahead.chance_of_onset, 3),
        "statement": ahead.statement,
        "concentration": _concentration(view, age),
        "model": found.model,
        "caveats": [*dict.fromkeys(ahead.caveats)],
        "age_years": age.years,
        "age_assumed": age.assumed,
    }


def _concentration(view: View, age: Age) -> dict[str, Any]:
    """The predicted band with its sampling site."""
    rule = view.protocol.dose
    assert rule is not None  # the forecast before this needed it
    model = load_model(load_route(rule.route).model)
    times = np.arange(0.0, HORIZON_MIN + EVERY_MIN, EVERY_MIN)
    weight = next((w for w in (_weight(view),) if w), None)
    if weight is None:
        raise KerpError(Fault("the log holds no weight", field="weight_kg"))
    made = simulate(
        Request(
            model=model,
            doses=doses_of(view),
            times_min=tuple(times),
            weight_kg=weight,
            age_years=age.years,
            population=CURVES,
            seed=SEED,
        )
    )
    bands = made.bands if made.bands is not None else np.tile(made.typical.ng_per_ml, (5, 1))
    return _band(made.typical.times_min, bands) | {
        "analyte": made.typical.analyte,
        "sampling_site": str(made.typical.sampling_site),
        "unit": "ng/mL",
        "sources": list(made.sources),
    }


def _weight(view: View) -> float | None:
    from kerp.session.verification import last_weight

    last = last_weight(view.state)
    return float(last.event.weight_kg) if last else None


def _band(times: Any, rows: Any) -> dict[str, Any]:
    names = ("p5", "p25", "p50", "p75", "p95")
    assert len(names) == len(LEVELS)
    rounded = {name: [round(float(value), 3) for value in row] for name, row in zip(names, rows, strict=True)}
    return {"times_min": [float(time) for time in times]} | rounded


def _quantiles(band: Any) -> dict[str, float | None]:
    values = {"low": band.low_50, "median": band.median, "high": band.high_50}
    return {name: None if value is None else round(value, 1) for name, value in values.items()}


def age_of(state: State) -> Age:
    """The value that was noted with the criterion of age, else the assumption of the data file."""
    for item in reversed(state.everywhere(EligibilityItem)):
        if item.event.criterion.startswith("age") and item.event.value is not None:
            return Age(float(item.event.value), assumed=False)
    return Age(float(_assumed()["age_years"]["value"]), assumed=True)


@cache
def _assumed() -> Any:
    return tomllib.loads((DATA / "web" / "bedside.toml").read_text())["forecast"]
