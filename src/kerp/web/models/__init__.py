"""What the study database keeps. Imported here because Django finds models by this module."""

from kerp.web.models.accounts import SecondFactorRule
from kerp.web.models.audit import AuditEvent
from kerp.web.models.people import Person, RoleGrant
from kerp.web.models.record import Entry, Flag, Log
from kerp.web.models.study import Assignment, Participant, ProtocolVersion, Site, Study

__all__ = [
    "Assignment",
    "AuditEvent",
    "Entry",
    "Flag",
    "Log",
    "Participant",
    "Person",
    "ProtocolVersion",
    "RoleGrant",
    "SecondFactorRule",
    "Site",
    "Study",
]
