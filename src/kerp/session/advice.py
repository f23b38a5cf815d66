"""What advice is. It never commands: the text says who decides (M19)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kerp.evidence.sourced import Mark, Sourced
from kerp.protocol.model import Level, Track


class Action(StrEnum):
    """What an advice proposes."""

    NOTHING = "nothing"
    OPEN_EXPOSURE = "open_exposure"
    CONTINUE_EXPOSURE = "continue_exposure"
    LOW_DEMAND = "low_demand"
    TAPER = "taper"
    HOLD_EXPOSURE = "hold_exposure"
    STOP_EXPOSURE = "stop_exposure"
    DO_NOT_START = "do_not_start"
    HOLD_DRUG = "hold_drug"
    STOP_DRUG = "stop_drug"  # nasal: withhold the remaining devices
    HOLD_BOTH = "hold_both"
    REPEAT_READING = "repeat_reading"
    ASK = "ask"
    CALL = "call"
    DISCHARGE = "discharge"


MORE_EXPOSURE = frozenset({Action.OPEN_EXPOSURE, Action.CONTINUE_EXPOSURE, Action.LOW_DEMAND, Action.TAPER})


class AdviceState(StrEnum):
    """What was done with an advice."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    OVERRIDDEN = "overridden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule found. No finding: the rule does not fire, or has cleared."""

    entries: tuple[str, ...]
    since_ms: int
    detail: str
    proposes: Action = Action.NOTHING
    step: int = 0
    level: Level | None = None  # instead of the rule's own
    session: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One advice with its reasons: rule, entries that triggered it, source of the threshold, who decides."""

    rule_id: str
    title: str
    level: Level
    track: Track
    text: str
    who_decides: str
    proposes: Action
    source: str
    mark: Mark
    since_ms: int
    entries: tuple[str, ...] = ()
    session: str = ""
    step: int = 0  # of a graded response: how far it went
    thresholds: Mapping[str, Sourced] = field(default_factory=dict)
    state: AdviceState = AdviceState.OPEN
    answered_by: str = ""
    answer: str = ""  # note or reason

    @property
    def key(self) -> str:
        """Names this advice for an acknowledgement: a rule that clears and fires again is another advice."""
        first = self.entries[0] if self.entries else str(self.since_ms)
        return f"{self.rule_id}|{self.session}|{first}"[:200]
