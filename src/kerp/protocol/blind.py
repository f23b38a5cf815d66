"""What a blinded log may know of its protocol: everything but the arm (M8).

All arms of a blinded trial share one study protocol: what is in the syringe, mg, mg/kg and cap stay in the allocation
store. Masking each arm must give the same protocol; whatever differs would tell the arm, and is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from kerp.base.errors import Fault, KerpError
from kerp.evidence.sourced import Mark, Sourced
from kerp.protocol.layers import RECORD_KEYS
from kerp.protocol.model import Agent, DoseRule, Protocol

_HELD = Sourced(value=0, unit="mg", source="kerp", mark=Mark.ASSUMED, note="held in the allocation store")


def masked(protocol: Protocol, *, study_id: str, title: str, version: str) -> Protocol:
    """The shared study protocol of one arm. Refused where the arm is not prepared for blinding."""
    if not protocol.blinded:
        ways = ("write blinded = true, and [dose.blinding] with the equalised volume",)
        raise KerpError(Fault("this protocol is not blinded", field="blinded", found="false", ways_out=ways))
    dose = None if protocol.dose is None else _masked_dose(protocol.dose)
    shared = replace(protocol, id=study_id, title=title, version=version, summary=title)
    return replace(shared, claims=(), notes=(), dose=dose)


def _masked_dose(rule: DoseRule) -> DoseRule:
    if rule.blinding is None:
        ways = ("add [dose.blinding] with the volume that every arm and participant gets",)
        raise KerpError(Fault("this dose is not prepared for blinding", field="dose.blinding", ways_out=ways))
    return replace(
        rule,
        agent=Agent.MASKED,
        max_dose_mg=_HELD,
        dose_mg_per_kg=None,
        dose_step_mg=None,
        concentration_mg_per_ml=None,
        erratum="",
        source="",
        mark=Mark.ASSUMED,
    )


def shared_protocol(arms: Sequence[Protocol], *, study_id: str, title: str, version: str) -> Protocol:
    """The one study protocol of all arms; every difference between them that a log would show is a fault."""
    if not arms:
        raise KerpError(Fault("a study has at least one arm", field="arms"))
    first, *others = (masked(arm, study_id=study_id, title=title, version=version) for arm in arms)
    telling = {path for other in others for path in differences(first, other)}
    if telling:
        ways = ("let the arms differ in [dose] only: derive them from one file",)
        message = "the arms differ where a blinded log would show it (M8)"
        raise KerpError(*(Fault(message, field=path, ways_out=ways) for path in sorted(telling)))
    return first


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Dotted paths at which two frozen records differ; records in lists are named by their ids."""
    if is_dataclass(one) and type(one) is type(other):
        for item in fields(one):
            yield from differences(getattr(one, item.name), getattr(other, item.name), _join(path, item.name))
    elif _is_records(one) and _is_records(other):
        yield from _record_differences(one, other, path)
    elif isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from differences(one.get(key), other.get(key), _join(path, key))
    elif one != other:
        yield path


def _record_differences(one: Any, other: Any, path: str) -> Iterator[str]:
    left, right = ({_name(item): item for item in side} for side in (one, other))
    for name in dict.fromkeys([*left, *right]):
        yield from differences(left.get(name), right.get(name), _join(path, name))
    if list(left) != list(right) and set(left) == set(right):
        yield path


def _is_records(value: Any) -> bool:
    return isinstance(value, tuple) and all(is_dataclass(item) for item in value)


def _name(item: Any) -> str:
    return next(str(getattr(item, key)) for key in RECORD_KEYS if hasattr(item, key))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
