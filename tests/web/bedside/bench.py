"""A device for tests: posts entries and requests the way the bedside page does."""

from __future__ import annotations

import json
import uuid

from kerp.session import events as ev
from kerp.session.codec import encode_event
from kerp.web.actions import record


class Device:
    """One signed-in browser at one session."""

    def __init__(self, client, log, session="dosing-1", name="tablet-1"):
        self.client, self.log, self.session, self.name = client, log, session, name
        self.base = f"/api/sessions/{log.id}/{session}/"

    def post(self, *events, ids=None, occurred=None, **envelope):
        """Entries that happened now unless told; the answer."""
        rows = [
            {"id": str((ids or {}).get(n) or uuid.uuid4()), "event": plain(event), "occurred_ms": occurred} | envelope
            for n, event in enumerate(events)
        ]
        return self.send("entries", {"device": self.name, "entries": rows})

    def ask(self, event, **more):
        body = {"id": str(uuid.uuid4()), "event": plain(event), "device": self.name} | more
        return self.send("requests", body).json()

    def send(self, what, body):
        return self.client.post(self.base + what, json.dumps(body), content_type="application/json")

    def get(self, what, **query):
        return self.client.get(self.base + what, query)

    def status(self):
        return self.get("status").json()


def plain(event):
    return encode_event(event) if isinstance(event, ev.Event) else event


def append(team, *events, role="coordinator", session=""):
    """Entries that the office made."""
    for event in events:
        submitted = record.Submitted(id=uuid.uuid4(), event=event, role=role, session=session)
        record.append(log_id=team.log.id, actor=team[role].username, submitted=submitted)


def screened(team):
    """Everything of the days before: eligibility, consent, plan, baseline."""
    from kerp.web.course import protocol_of

    protocol = protocol_of(team.log)
    append(team, *(ev.EligibilityItem(criterion=c.id, met=True) for c in protocol.criteria if c.active))
    append(team, ev.ConsentChecked(version="v3", confirmed=True))
    items = [("door", "Touch the door handle", 45), ("bin", "Touch the bin", 70)]
    append(team, *(ev.HierarchyItem(item=i, trigger=t, suds=s) for i, t, s in items), role="therapist")
    append(
        team,
        ev.ItemsChosen(plan="dosing", items=("door", "bin")),
        ev.StopWordAgreed(word="harbour"),
        role="therapist",
    )
    answers = {f"item_{n}": 2.0 for n in range(1, 11)}
    append(team, ev.ScaleAnswered(instrument="ybocs", version="t", answers=answers, rated_by="rater"), role="rater")


def checks():
    """What the nurse does on the morning, but the second blood pressure, the dose and the time-out."""
    return [
        ev.ConsentChecked(version="v3", confirmed=True),
        ev.PregnancyTest(result=ev.TestResult.NEGATIVE),
        ev.ToxicologyTest(result=ev.TestResult.NEGATIVE),
        ev.FastingCheck(kept=True, food_h=8, fluids_h=3),
        ev.EscortCheck(arranged=True),
        ev.ChecklistItem(item="plan_agreed", done=True),
        ev.ChecklistItem(item="props_present", done=True),
        ev.ChecklistItem(item="emergency_equipment", done=True),
        ev.Weighed(weight_kg=72.0),
        ev.TimeOut(people=("nurse", "therapist", "prescriber"), confirmed=True),
    ]
