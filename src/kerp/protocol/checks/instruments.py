"""Instruments: known, declared, asked, rated by the right person, inside their own range."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from kerp.base.errors import Fault
from kerp.instrument.load import instrument_ids
from kerp.instrument.model import Rater
from kerp.protocol.checks.course import PARTICIPANT, asked, instrument_of, objection
from kerp.protocol.model import Protocol


def _named(protocol: Protocol) -> Iterator[tuple[str, str]]:
    for use in protocol.instruments:
        yield use.id, f"instruments.{use.id}"
    for name, _, field in asked(protocol):
        yield name, field
    for criterion in protocol.criteria:
        if criterion.instrument:
            yield criterion.instrument, f"criteria.{criterion.id}.instrument"
    if protocol.effect_rule is not None:
        yield protocol.effect_rule.instrument, "effect_rule.instrument"


def unknown_instruments(protocol: Protocol) -> Iterator[Fault]:
    """Every instrument named anywhere exists."""
    known = instrument_ids()
    for name, field in _named(protocol):
        if name not in known:
            near = get_close_matches(name, known, n=3, cutoff=0.4)
            ways = (f"did you mean {' or '.join(near)}?",) if near else ()
            yield objection(field, f"there is no instrument {name!r}", *ways, found=name, allowed=", ".join(known))


def undeclared_instruments(protocol: Protocol) -> Iterator[Fault]:
    """What is asked is declared with its role, and what is declared is asked."""
    declared = {use.id for use in protocol.instruments}
    used = {name for name, _, _ in asked(protocol)}
    for name, _, field in asked(protocol):
        if name not in declared:
            way = f'add [[instruments]] id = "{name}" with role and rater'
            yield objection(field, f"{name} is asked, but not declared under instruments", way, found=name)
    for name in sorted(declared - used):
        ways = ("ask it at a visit or in a session", "remove it")
        yield objection(f"instruments.{name}", f"{name} is declared, but never asked", *ways)


def no_primary_outcome(protocol: Protocol) -> Iterator[Fault]:
    """At least one primary instrument."""
    if not any(use.role == "primary" for use in protocol.instruments):
        yield objection("instruments", "there is no primary outcome", 'give one instrument role = "primary"')


def editions_mixed(protocol: Protocol) -> Iterator[Fault]:
    """Y-BOCS and Y-BOCS-II, or two editions of any scale with the same period, are never mixed (M1)."""
    seen: dict[tuple[str, float], str] = {}
    for name in dict.fromkeys(name for name, _ in _named(protocol)):
        instrument = instrument_of(name)
        if instrument is None:
            continue
        key = (_family(instrument.family), instrument.period.window_min)
        if key in seen and instrument.period.window_min > 0:
            message = f"{seen[key]} and {name} are editions of one scale: their scores are never mixed"
            yield objection(f"instruments.{name}", message, "keep one of the two", found=f"{seen[key]}, {name}")
        seen.setdefault(key, name)


def _family(family: str) -> str:
    """Editions of one scale share the name before the number: ybocs, ybocs2."""
    return family.rstrip("0123456789")


def wrong_rater(protocol: Protocol) -> Iterator[Fault]:
    """A clinician's scale is not answered by the participant."""
    for name, rater, field in asked(protocol):
        instrument = instrument_of(name)
        if instrument is not None and instrument.rater is Rater.CLINICIAN and rater == PARTICIPANT:
            way = "name the role that rates it"
            message = f"{instrument.short_name} is a clinician's scale; here the participant answers it"
            yield objection(field, message, way, found=rater)


def threshold_outside_scale(protocol: Protocol) -> Iterator[Fault]:
    """A criterion's threshold can be reached on its scale."""
    for criterion in protocol.criteria:
        instrument = instrument_of(criterion.instrument) if criterion.instrument else None
        limits = instrument.total_range if instrument else None
        if criterion.threshold is None or instrument is None or limits is None:
            continue
        if not limits[0] <= float(criterion.threshold) <= limits[1]:
            allowed = f"{limits[0]:g} to {limits[1]:g}"
            found = float(criterion.threshold)
            message = f"no {instrument.short_name} score reaches this threshold"
            field = f"criteria.{criterion.id}.threshold"
            yield objection(field, message, "correct the threshold", found=found, allowed=allowed)


CHECKS = (
    unknown_instruments,
    undeclared_instruments,
    no_primary_outcome,
    editions_mixed,
    wrong_rater,
    threshold_outside_scale,
)
