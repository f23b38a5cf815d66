"""What the acts of the audit trail say in words. The record keeps the code; pages show both."""

from __future__ import annotations

ACTS = {
    "account.factor_added": "Second factor added",
    "account.factor_removed": "Second factor removed",
    "account.password_changed": "Password changed",
    "account.signed_in": "Signed in",
    "account.signed_out": "Signed out",
    "allocation.exported": "Allocation file exported",
    "allocation.registered": "Registered for allocation",
    "allocation.released": "Allocated kit released",
    "assignment.ended": "Work with a participant ended",
    "assignment.made": "Assigned to a participant",
    "data.locked": "Data locked",
    "display.invited": "Participant's screen invited",
    "dose.checked": "Preparation checked",
    "dose.found_wrong": "Preparation found wrong",
    "dose.prepared": "Dose prepared",
    "log.exported": "Log exported",
    "participant.registered": "Participant registered",
    "person.closed": "Account closed",
    "person.created": "Account created",
    "person.invited": "Invitation made",
    "person.password_set": "Password set by invitation",
    "person.reopened": "Account reopened",
    "protocol.added": "Protocol version added",
    "role.ended": "Role ended",
    "role.granted": "Role given",
    "rules.signed": "Stopping rules signed",
    "second_factor.required": "Second factor required of a role",
    "second_factor.waived": "Second factor no longer required of a role",
    "site.created": "Site created",
    "stimulus.added": "Stimulus added",
    "stimulus.retired": "Stimulus retired",
    "study.created": "Study created",
    "unblinding.asked": "Unblinding asked for",
    "unblinding.confirmed": "Unblinding confirmed",
    "unblinding.shown": "Arm shown after unblinding",
}


def said(act: str) -> str:
    """`role.granted` -> `Role given`; an act of another version as its code, in words."""
    return ACTS.get(act) or act.replace(".", " ").replace("_", " ")


def meant(text: str) -> list[str]:
    """Codes of the acts whose words hold this text."""
    return [act for act, words in ACTS.items() if text.lower() in words.lower()]
