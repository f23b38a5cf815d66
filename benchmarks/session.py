"""Folding one more entry into a 2,000-entry session, against folding it whole."""

from __future__ import annotations

from benchmarks.row import Row, median_s
from kerp.protocol.load import load_protocol
from kerp.protocol.model import Protocol
from kerp.session import events as ev
from kerp.session.advise import advise
from kerp.session.fold import fold, step
from kerp.session.state import State

ENTRIES = 2_000


def run() -> list[Row]:
    """One row: a step against a whole fold; the note adds what advice costs on the same state."""
    protocol = load_protocol("bottemanne2021-iv").protocol
    entries = _entries(protocol)
    whole_s = median_s(lambda: fold(protocol, entries))
    state = fold(protocol, entries)
    step_s = _step_s(protocol, state)
    advice_s = median_s(lambda: advise(protocol, state, entries[-1].occurred_ms))
    return [
        Row(
            name=f"session: one more entry after {ENTRIES:,}",
            ours_s=step_s,
            peer=f"folding all {ENTRIES:,}",
            peer_s=whole_s,
            target=100,
            note=f"all advice on that state: {advice_s * 1000:.0f} ms",
        )
    ]


def _step_s(protocol: Protocol, state: State) -> float:
    """Median of many single steps, each a new entry on the same state."""
    entry = _entry(ENTRIES + 1, ev.SudsRated(value=50))
    return median_s(lambda: step(protocol, state, entry), repeats=500)


def _entry(seq: int, event: ev.Event) -> ev.Entry:
    at_ms = seq * 7_000
    return ev.Entry(
        seq=seq, id=f"entry-{seq}", occurred_ms=at_ms, recorded_ms=at_ms, actor="nurse-1", session="s1", event=event
    )


def _entries(protocol: Protocol) -> list[ev.Entry]:
    """A long session: ratings, vitals, rituals and steps in turn."""
    opening = ev.LogOpened(participant="P-1", protocol_id=protocol.id, protocol_digest="-", engine_version="-")
    first = [
        opening,
        ev.SessionOpened(plan="dosing"),
        ev.AdministrationStarted(route="iv_infusion", rate_ml_per_h=52.5),
        ev.ExposureStarted(block="b1", item="door", modality=ev.Modality.OBJECT),
    ]
    turns = [
        ev.SudsRated(value=60),
        ev.UrgeRated(value=40),
        ev.FeltEffectRated(value=4),
        ev.VitalsTaken(systolic_mmhg=130, diastolic_mmhg=85, heart_rate_per_min=80, spo2_pct=97),
        ev.RitualSeen(kind=ev.Ritual.MENTAL, judged_by="therapist"),
        ev.ExposureStepped(block="b1", intensity=0.5),
    ]
    events = [*first, *(turns[n % len(turns)] for n in range(ENTRIES - len(first)))]
    return [_entry(seq, event) for seq, event in enumerate(events, start=1)]
