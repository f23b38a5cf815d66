"""What the participant's screen shows at a moment, read off the session. Pure: no clock, no database, no Django."""

from __future__ import annotations

from dataclasses import dataclass

from kerp.session.events import ExposureStarted, ExposureStepped, PatientStop, StimulusShown, Strand
from kerp.session.exposure_track import Block
from kerp.session.prompts import slots_of
from kerp.session.view import View

RATED = ("suds", "urge", "felt_effect")


@dataclass(frozen=True, slots=True)
class Showing:
    """`order` grows with every act on the exposure: a screen that went calm shows again only for a newer one."""

    order: int
    calm: bool
    block: str = ""
    stimulus: str = ""
    intensity: float = 0.0


def showing(view: View) -> Showing:
    """Calm unless a block is open, not held, names a stimulus, and the participant has not said stop."""
    order = _order(view)
    open_blocks = view.exposure.open_blocks
    if not open_blocks or view.ended_by_patient or view.discharged or open_blocks[-1].held:
        return Showing(order, calm=True)
    block = open_blocks[-1]
    stimulus = _stimulus(view, block)
    if not stimulus:
        return Showing(order, calm=True, block=block.name)
    return Showing(order, calm=False, block=block.name, stimulus=stimulus, intensity=block.now.intensity)


def _order(view: View) -> int:
    acts = [one.entry.seq for one in view.record.strand(Strand.EXPOSURE) if not isinstance(one.event, StimulusShown)]
    stops = [one.entry.seq for one in view.record.of(PatientStop)]
    return max([0, *acts, *stops])


def _stimulus(view: View, block: Block) -> str:
    """The newest stimulus named for this block."""
    named = [
        one.event.stimulus
        for one in view.record.strand(Strand.EXPOSURE)
        if isinstance(one.event, ExposureStarted | ExposureStepped)
        and one.event.block == block.name
        and one.event.stimulus
        and one.at_ms >= block.started_ms
    ]
    return named[-1] if named else ""


def asked(view: View) -> str:
    """Which rating the participant is asked for now, by the protocol; empty for none."""
    return next(
        (
            s.prompt.instrument
            for s in slots_of(view)
            if s.open and s.prompt.asked_by == "participant" and s.prompt.instrument in RATED
        ),
        "",
    )
