"""Tables about what was given: doses by segment, exposure blocks."""

from __future__ import annotations

from collections.abc import Iterator

from kerp.base.elapsed import MS_PER_MIN
from kerp.protocol.model import Agent
from kerp.records.course import Course
from kerp.records.tables.columns import (
    ENTRY,
    PARTICIPANT,
    PLAN,
    SESSION,
    STUDY_DAY,
    Row,
    Table,
    number,
    text,
    whole,
)
from kerp.session.drug_track import Device
from kerp.session.events import (
    Demand,
    EndingRule,
    ExpectancyRated,
    ExposureStarted,
    HierarchyItem,
    Modality,
    Observed,
    RitualSeen,
    SudsRated,
)
from kerp.session.exposure_track import Block
from kerp.session.view import View


def _doses(course: Course) -> Iterator[Row]:
    for view in course.views:
        shared = _shared(course, view)
        for number_, segment in enumerate(view.drug.segments, start=1):
            end_ms = segment.to_ms if segment.to_ms is not None else view.drug.ended_ms
            yield shared | {
                "kind": "infusion_segment",
                "number": number_,
                "start_min": course.minute(view.record, segment.from_ms),
                "end_min": None if end_ms is None else course.minute(view.record, end_ms),
                "rate_ml_per_h": segment.ml_per_h,
                "rate_mg_per_min": segment.mg_per_min,
                "volume_ml": _over(segment.ml_per_h, segment.from_ms, end_ms, 60.0),
                "amount_mg": _over(segment.mg_per_min, segment.from_ms, end_ms, 1.0),
                "devices": None,
            }
        for device in view.drug.devices:
            yield shared | {
                "kind": "device",
                "number": device.number,
                "start_min": course.minute(view.record, device.at_ms),
                "end_min": course.minute(view.record, device.at_ms),
                "amount_mg": _device_mg(course, device),
                "devices": device.count,
            }


def _shared(course: Course, view: View) -> Row:
    return {
        "participant": course.participant,
        "session": view.record.id,
        "plan": view.record.plan_id,
        "study_day": course.study_day(course.as_read(view.drug.t0_entry)) if view.drug.t0_entry else None,
        "agent": None if course.protocol.blinded or course.protocol.dose is None else course.protocol.dose.agent,
        "route": None if course.protocol.dose is None else course.protocol.dose.route,
        "volume_given_ml": view.drug.volume_given_ml,
        "amount_given_mg": view.drug.dose_given_mg,
    }


def _over(rate: float | None, from_ms: int, to_ms: int | None, per_min: float) -> float | None:
    """Amount given at a constant rate (per hour where `per_min` = 60)."""
    if rate is None or to_ms is None:
        return None
    return round(rate / per_min * (to_ms - from_ms) / MS_PER_MIN, 6)


def _device_mg(course: Course, device: Device) -> float | None:
    dose = course.protocol.dose
    if course.protocol.blinded or dose is None or dose.device_mg is None:
        return None
    each = device.each_mg(dose.device_mg.value)
    return None if each is None else each * device.count


_BLINDED = "blinded, or not recorded"
DOSES = Table(
    "doses",
    "one constant-rate segment of an infusion, or one nasal device, as it was given",
    (
        PARTICIPANT,
        SESSION,
        PLAN,
        STUDY_DAY,
        text("kind", "what the row is", "", ("infusion_segment", "device")),
        whole("number", "segment or device number", ""),
        text("agent", "what was given", _BLINDED, Agent),
        text("route", "route of administration", "no drug in this protocol"),
        number("start_min", "start after T0", "min"),
        number("end_min", "end after T0", "min", "still open when the log ends"),
        number("rate_ml_per_h", "pump rate", "mL/h", "a device, or not recorded"),
        number("rate_mg_per_min", "dose rate", "mg/min", _BLINDED),
        number("volume_ml", "rate times duration", "mL", "a device, or not recorded"),
        number("amount_mg", "rate times duration, or strength of the device", "mg", _BLINDED),
        whole("devices", "devices written as one entry; more than 1 is a deviation (M3)", "count", "an infusion"),
        number("volume_given_ml", "volume read off at the end, whole session", "mL", "not recorded"),
        number("amount_given_mg", "amount read off at the end, whole session", "mg", _BLINDED),
    ),
    _doses,
)


def _blocks(course: Course) -> Iterator[Row]:
    items = {item.event.item: item.event for item in course.state.everywhere(HierarchyItem)}
    for view in course.views:
        started = {item.id: item.event for item in view.record.of(ExposureStarted)}
        for block in view.exposure.blocks:
            planned = items.get(block.item)
            event = started[block.entry]
            yield {
                "participant": course.participant,
                "session": view.record.id,
                "plan": view.record.plan_id,
                "study_day": course.study_day(course.as_read(block.entry)),
                "block": block.name,
                "item": block.item,
                "theme": planned.theme if planned else None,
                "planned_suds": planned.suds if planned else None,
                "modality": block.modality,
                "stimulus": event.stimulus,
                "repeat_of": event.off_drug_repeat_of,
                "start_min": course.minute(view.record, block.started_ms),
                "end_min": None if block.ended_ms is None else course.minute(view.record, block.ended_ms),
                "duration_min": _minutes(block.started_ms, block.ended_ms),
                "ending_rule": block.ending_rule,
                "intensity_first": block.steps[0].intensity,
                "intensity_last": block.now.intensity,
                "demand_last": block.now.demand,
                "taper_steps": sum(bool(step.taper) for step in block.steps),
                "phase_at_start": getattr(view.phase_at(block.started_ms), "id", None),
                "entry": block.entry,
            } | _block_ratings(view, block)


def _minutes(start_ms: int, end_ms: int | None) -> float | None:
    return None if end_ms is None else round((end_ms - start_ms) / MS_PER_MIN, 4)


def _block_ratings(view: View, block: Block) -> Row:
    suds = [item for item in view.record.of(SudsRated) if _belongs(item, block)]
    rituals = [item for item in view.record.of(RitualSeen) if item.event.block == block.name]
    before, after = _expectancy(view, block, after=False), _expectancy(view, block, after=True)
    values = [item.event.value for item in suds]
    return {
        "suds_first": values[0] if values else None,
        "suds_peak": max(values, default=None),
        "suds_last": values[-1] if values else None,
        "suds_ratings": len(values),
        "rituals": sum(item.event.count for item in rituals),
        "expectancy_before_pct": before.probability_pct if before else None,
        "expectancy_after_pct": after.probability_pct if after else None,
        "worst_distress_expected": before.worst_distress if before else None,
    }


def _belongs(item: Observed[SudsRated], block: Block) -> bool:
    return item.event.block == block.name if item.event.block else block.covers(item.at_ms)


def _expectancy(view: View, block: Block, *, after: bool) -> ExpectancyRated | None:
    found = [
        i.event for i in view.record.of(ExpectancyRated) if i.event.block == block.name and i.event.after is after
    ]
    return found[-1] if found else None


BLOCKS = Table(
    "exposure_blocks",
    "one exposure block: one stimulus, one start, one end",
    (
        PARTICIPANT,
        SESSION,
        PLAN,
        STUDY_DAY,
        text("block", "name of the block within the session"),
        text("item", "item of the hierarchy"),
        text("theme", "theme of the item", "the item is not in the hierarchy"),
        whole("planned_suds", "SUDS of the item when the hierarchy was made", "SUDS 0-100", "not rated"),
        text("modality", "how the stimulus was given (PAPER P28)", "", Modality),
        text("stimulus", "id of the stimulus", "none named"),
        text("repeat_of", "session whose exposure is repeated off drug", "not a repetition"),
        number("start_min", "start after T0", "min"),
        number("end_min", "end after T0", "min", "still open when the log ends"),
        number("duration_min", "duration", "min", "still open when the log ends"),
        text("ending_rule", "which rule ended it", "still open when the log ends", EndingRule),
        number("intensity_first", "intensity at the start", "share of full"),
        number("intensity_last", "intensity at the end", "share of full"),
        text("demand_last", "demand at the end", "", Demand),
        whole("taper_steps", "steps of the protocol's taper (PAPER P31)"),
        text("phase_at_start", "phase of the session when it began", "the plan has no phases"),
        ENTRY,
        whole("suds_first", "first SUDS of the block", "SUDS 0-100", "not rated"),
        whole("suds_peak", "highest SUDS of the block", "SUDS 0-100", "not rated"),
        whole("suds_last", "last SUDS of the block", "SUDS 0-100", "not rated"),
        whole("suds_ratings", "SUDS ratings in the block"),
        whole("rituals", "rituals seen in the block, of every kind"),
        number("expectancy_before_pct", "probability of the feared outcome, before", "%", "not asked"),
        number("expectancy_after_pct", "probability of the feared outcome, after", "%", "not asked"),
        number("worst_distress_expected", "worst distress expected, before", "points 0-100", "not asked"),
    ),
    _blocks,
)
