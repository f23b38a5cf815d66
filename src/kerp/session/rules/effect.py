"""Rules on the felt effect and on the participant's word: no onset, strong effect, stop."""

from __future__ import annotations

from collections.abc import Iterator

from kerp.base.elapsed import ms_from_min
from kerp.protocol.model import Rule
from kerp.session.advice import Action, Finding
from kerp.session.drug_track import DrugStatus
from kerp.session.events import Demand, FeltEffectRated, PatientStop
from kerp.session.rules.runs import at, ids, limit, newest_run, since_start
from kerp.session.view import View


def no_onset(view: View, _rule: Rule) -> Iterator[Finding]:
    """No onset by the time of the effect rule. Clears with onset."""
    rule, t0 = view.protocol.effect_rule, view.drug.t0_ms
    if rule is None or t0 is None or view.effect.onset_ms is not None:
        return
    due_ms = t0 + ms_from_min(rule.no_onset_by_min.value)
    if view.now_ms >= due_ms:
        highest = "nobody was asked" if view.effect.highest is None else f"highest rating {view.effect.highest:g}"
        assumed = " (baseline not asked, 0 taken)" if view.effect.baseline_assumed else ""
        detail = f"{rule.no_onset_by_min.value:g} min after the start, {highest}{assumed}."
        yield Finding(entries=(view.drug.t0_entry,), since_ms=due_ms, detail=detail)


def low_demand_at_peak(view: View, rule: Rule) -> Iterator[Finding]:
    """A strong effect while full demand is made."""
    ratings = since_start(view, view.record.of(FeltEffectRated))
    run = newest_run(ratings, lambda item: item.event.value >= limit(rule, "felt_effect"))
    full = any(block.now.demand is Demand.FULL for block in view.exposure.open_blocks)
    if run and full:
        detail = f"Felt effect {run[-1].event.value:g} at {at(view, run[-1].at_ms)}."
        yield Finding(entries=ids(run), since_ms=run[0].at_ms, detail=detail, proposes=Action.LOW_DEMAND)


def patient_stop(view: View, _rule: Rule) -> Iterator[Finding]:
    """Until exposure is stopped and the drug decided. The two are separate (M11)."""
    stop = view.record.first(PatientStop)
    running = view.drug.status in {DrugStatus.RUNNING, DrugStatus.HELD}
    if stop is None or not (view.exposure.open_blocks or running):
        return
    exposure = "still open" if view.exposure.open_blocks else "closed"
    detail = f"Said at {at(view, stop.at_ms)}. Exposure: {exposure}. Drug: {view.drug.status.replace('_', ' ')}."
    action = Action.STOP_EXPOSURE if view.exposure.open_blocks else Action.NOTHING
    yield Finding(entries=(stop.id,), since_ms=stop.at_ms, detail=detail, proposes=action)
