"""One session as it stands at a moment: what rules, gates and screens look at. Read off the record by `view_of`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from kerp.base.elapsed import MS_PER_MIN
from kerp.protocol.model import EffectRule, Fact, Phase, Protocol, SessionPlan
from kerp.session.drug_track import DrugTrack, drug_track
from kerp.session.effect import Change, Effect, effect_of
from kerp.session.events import Discharged, Observed, PatientStop, Withdrawal
from kerp.session.exposure_track import ExposureTrack, exposure_track
from kerp.session.facts import changes_of, holding, phase_at
from kerp.session.once import ReadOnce
from kerp.session.state import SessionRecord, State


@dataclass(frozen=True)
class View(ReadOnce):
    """A session at `now_ms`, with its two tracks and the felt effect read."""

    protocol: Protocol
    state: State
    record: SessionRecord
    plan: SessionPlan | None
    now_ms: int
    drug: DrugTrack
    exposure: ExposureTrack
    effect: Effect
    changes: tuple[Change, ...]

    @cached_property
    def dosing(self) -> bool:
        """Whether a drug is given in this kind of session."""
        return bool(self.plan and self.plan.kind.startswith("dosing")) or self.drug.given

    @cached_property
    def t0_ms(self) -> int | None:
        """Minute 0: start of administration, or of the first exposure where no drug is given."""
        return self.drug.t0_ms if self.dosing else self.exposure.first_ms

    @property
    def minute(self) -> float | None:
        """Minutes since T0."""
        return None if self.t0_ms is None else (self.now_ms - self.t0_ms) / MS_PER_MIN

    @cached_property
    def phase(self) -> Phase | None:
        """The phase the facts have led to."""
        return self.phase_at(self.now_ms)

    def phase_at(self, at_ms: int) -> Phase | None:
        """The phase as it was known at a moment."""
        return phase_at(self.plan, self.changes, at_ms)

    @cached_property
    def facts(self) -> Mapping[Fact, int]:
        """Facts that hold now -> since when."""
        return holding(self.changes, self.now_ms)

    @cached_property
    def discharged(self) -> bool:
        """Whether the participant has left."""
        return self.record.last(Discharged) is not None

    @property
    def ended_by_patient(self) -> str:
        """Id of the entry by which the participant ended exposure here (stop or withdrawal), or empty."""
        return self._ending.id if self._ending else ""

    @property
    def ended_by_patient_ms(self) -> int | None:
        """When that was."""
        return self._ending.at_ms if self._ending else None

    @cached_property
    def _ending(self) -> Observed[Withdrawal] | Observed[PatientStop] | None:
        return self.state.course.first(Withdrawal) or self.record.first(PatientStop)


def views_of(protocol: Protocol, state: State, now_ms: int) -> tuple[View, ...]:
    """Read every session of a course at `now_ms`."""
    return state.once(_views, protocol, now_ms)


def _views(state: State, protocol: Protocol, now_ms: int) -> tuple[View, ...]:
    return tuple(view_of(protocol, state, record, now_ms) for record in state.sessions)


def view_of(protocol: Protocol, state: State, record: SessionRecord, now_ms: int) -> View:
    """Read a session at `now_ms`."""
    plan = next((plan for plan in protocol.sessions if plan.id == record.plan_id), None)
    planned = protocol.dose.devices_default if protocol.dose else None
    drug, exposure = drug_track(record, planned), exposure_track(record)
    effect, changes = record.once(_effect_and_changes, protocol.effect_rule, drug, exposure)
    return View(protocol, state, record, plan, now_ms, drug, exposure, effect, changes)


def _effect_and_changes(
    record: SessionRecord, rule: EffectRule | None, drug: DrugTrack, exposure: ExposureTrack
) -> tuple[Effect, tuple[Change, ...]]:
    effect = effect_of(rule, record, drug)
    return effect, changes_of(record, drug, exposure, effect)
