"""The form that the participant fills in hours after the dose: which it is and when, read off the protocol.

clinical.md sections 5 and 11: the OCD-VAS, the challenge scale, the guess of the arm; never the Y-BOCS. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kerp.base.elapsed import ms_from_min
from kerp.protocol.model import Fact, Prompt
from kerp.session.events import RatingMissed, ScaleAnswered
from kerp.session.view import View

# Instruments with a panel of their own on the page; all others are asked as forms.
PANELS = frozenset(
    {
        "suds",
        "urge",
        "felt_effect",
        "vitals",
        "moaas",
        "expectancy",
        "ritual_log",
        "adverse_events",
        "discharge",
        "arm_guess",
    }
)
GUESS = "arm_guess"


@dataclass(frozen=True, slots=True)
class LaterForm:
    """`minute` after the actual end of the administration. `due_ms` is None while that has not happened."""

    minute: float
    instruments: tuple[str, ...]
    guess: bool
    due_ms: int | None
    opens_ms: int | None
    answered: tuple[str, ...]

    @property
    def left(self) -> tuple[str, ...]:
        """Instruments that nobody has answered, or declined, for this form."""
        return tuple(name for name in self.instruments if name not in self.answered)


def later_form(view: View) -> LaterForm | None:
    """The last thing that is asked of the participant after the administration; None where the plan has no such."""
    asked = _prompts(view)
    if not asked:
        return None
    minute = last_minute(asked) or 0.0
    mine = [prompt for prompt in asked if minute in prompt.at_min]
    due_ms = _due_ms(view, minute)
    early_ms = ms_from_min(max(prompt.late_after_min for prompt in mine))
    opens_ms = due_ms - early_ms if due_ms is not None else None
    names = tuple(prompt.instrument for prompt in mine if prompt.instrument not in PANELS)
    guess = any(prompt.instrument == GUESS for prompt in mine)
    return LaterForm(minute, names, guess, due_ms, opens_ms, _answered(view, names, opens_ms))


def last_minute(prompts: Iterable[Prompt]) -> float | None:
    """Minutes after the end of the administration at which the participant is asked last."""
    return max((minute for prompt in prompts if _is_after(prompt) for minute in prompt.at_min), default=None)


def _prompts(view: View) -> list[Prompt]:
    return [one for one in (view.plan.prompts if view.plan else ()) if _is_after(one) and one.at_min]


def _is_after(prompt: Prompt) -> bool:
    return prompt.anchor == Fact.ADMINISTRATION_END and prompt.asked_by == "participant"


def _due_ms(view: View, minute: float) -> int | None:
    ended = view.facts.get(Fact.ADMINISTRATION_END)
    return None if ended is None else ended + ms_from_min(minute)


def _answered(view: View, names: tuple[str, ...], opens_ms: int | None) -> tuple[str, ...]:
    if opens_ms is None:
        return ()
    given = {one.event.instrument for one in view.record.of(ScaleAnswered) if one.at_ms >= opens_ms}
    given |= {one.event.instrument for one in view.record.of(RatingMissed) if one.at_ms >= opens_ms}
    return tuple(name for name in names if name in given)
