"""The numbers behind the time line, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kerp.base.elapsed import ms_from_min
from kerp.report.page import Table
from kerp.report.session.drug import DrugPicture, shown
from kerp.report.session.drug_tracks import phases_of
from kerp.session.events import (
    Coached,
    FeltEffectRated,
    Observed,
    RitualSeen,
    SedationRated,
    SudsRated,
    UrgeRated,
    VitalsTaken,
)
from kerp.session.view import View

EVERY_MIN = 10  # of the predicted concentration, in the table
ROUND_MIN = 2  # ratings that came this close together were asked in one round


def numbers_behind(view: View, picture: DrugPicture) -> tuple[Table, ...]:
    """One table for each kind of track."""
    found = (
        _phases(view),
        _predicted(picture),
        _forecasts(picture),
        _rated(view),
        _behaviour(view),
        _vitals(view),
    )
    return tuple(table for table in found if table is not None and table.rows)


def minute(view: View, at_ms: int | None) -> str | None:
    """Minutes since T0 as people read them, with a minus sign where it is one."""
    if at_ms is None or view.t0_ms is None:
        return None
    value = (at_ms - view.t0_ms) / 60_000
    words = f"{abs(value):.1f}".removesuffix(".0")
    return f"−{words}" if value <= -0.05 else words


def _phases(view: View) -> Table:
    rows = [
        (phase.title, minute(view, start), minute(view, end if end < view.now_ms else None), ", ".join(phase.claims))
        for phase, start, end in phases_of(view)
    ]
    return Table("Phases, as they were known at the time", ("phase", "from, min", "to, min", "PAPER"), rows, (1, 2))


def _predicted(picture: DrugPicture) -> Table | None:
    made = picture.prediction
    if made is None:
        return None
    rows = []
    for index in range(0, made.times_min.size, EVERY_MIN):
        values = (made.typical[index], *made.bands[:, index])
        rows.append((f"{made.times_min[index]:.0f}", *(f"{value:.0f}" for value in values)))
    columns = ("min", "typical person", "5 %", "25 %", "50 %", "75 %", "95 % of people")
    caption = f"Predicted {made.analyte}, ng/mL, {made.sampling_site}: model output ({made.model.name})"
    return Table(caption, columns, rows, tuple(range(7)), note=" ".join(made.caveats))


def _forecasts(picture: DrugPicture) -> Table | None:
    rows = [
        (
            made.label,
            f"{made.made_min:.0f}",
            made.ratings,
            shown(made.forecast.onset),
            shown(made.forecast.peak),
            shown(made.forecast.resolution),
            made.forecast.statement,
        )
        for made in picture.forecasts
    ]
    if not rows:
        return None
    columns = ("forecast", "made at, min", "ratings", "onset, min", "peak, min", "effect gone, min", "fit")
    note = " ".join(picture.forecasts[0].forecast.caveats)
    return Table("Forecast of the felt effect: model output", columns, rows, (1, 2), note=note)


Named = tuple[Observed[Any], str, float]


def _rated(view: View) -> Table:
    """Ratings that were made in one round stand in one row, at the minute of the first of them."""
    named: list[Named] = [
        *((item, "SUDS", float(item.event.value)) for item in view.record.of(SudsRated)),
        *((item, "urge", float(item.event.value)) for item in view.record.of(UrgeRated)),
        *((item, "felt effect", item.event.value) for item in view.record.of(FeltEffectRated)),
        *((item, "MOAA/S", float(item.event.moaas)) for item in view.record.of(SedationRated)),
    ]
    rounds = _rounds(sorted(named, key=lambda rating: (rating[0].at_ms, rating[1])))
    names = [name for name in ("SUDS", "urge", "felt effect", "MOAA/S") if any(name == n for _, n, _ in named)]
    rows = [(minute(view, at_ms), *(_whole(held.get(name)) for name in names)) for at_ms, held in rounds]
    columns = ("min", *names)
    note = f"One row holds what was rated within {ROUND_MIN} min. A dash: not rated or not due then, never a zero."
    return Table("Ratings", columns, rows, tuple(range(len(columns))), note=note)


def _rounds(named: Sequence[Named]) -> list[tuple[int, dict[str, float]]]:
    found: list[tuple[int, dict[str, float]]] = []
    for item, name, value in named:
        if found and item.at_ms - found[-1][0] <= ms_from_min(ROUND_MIN) and name not in found[-1][1]:
            found[-1][1][name] = value
        else:
            found.append((item.at_ms, {name: value}))
    return found


def _whole(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"


def _behaviour(view: View) -> Table:
    def rows() -> Iterator[tuple[Any, ...]]:
        for seen in view.record.of(RitualSeen):
            event = seen.event
            yield seen.at_ms, str(event.kind), event.block, event.count, event.duration_s, event.judged_by
        for coached in view.record.of(Coached):
            yield coached.at_ms, "coaching", coached.event.block, None, None, coached.actor

    found = [(minute(view, at_ms), *rest) for at_ms, *rest in sorted(rows(), key=lambda row: row[0])]
    columns = ("min", "what", "block", "count", "lasted, s", "judged or done by")
    return Table("Rituals and coaching", columns, found, (0, 3, 4))


def _vitals(view: View) -> Table:
    rows = [
        (
            minute(view, item.at_ms),
            item.event.systolic_mmhg,
            item.event.diastolic_mmhg,
            item.event.heart_rate_per_min,
            item.event.spo2_pct,
            item.event.respiratory_rate_per_min,
        )
        for item in view.record.of(VitalsTaken)
    ]
    columns = ("min", "systolic, mm Hg", "diastolic, mm Hg", "heart rate, /min", "SpO₂, %", "breaths, /min")
    return Table("Vital signs", columns, rows, tuple(range(6)))
