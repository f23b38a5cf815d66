"""Who reaches which session, and which kind of entry needs which permission. Knows nothing of screens."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404

from kerp.base.errors import Fault, KerpError
from kerp.session.events import (
    ArmGuess,
    CallBooked,
    CallMade,
    ConsentChecked,
    Corrected,
    Discharged,
    DoseComputed,
    DoseVerified,
    EligibilityItem,
    Event,
    HazardsChecked,
    ItemsChosen,
    LogOpened,
    ResponsePreventionAgreed,
    ScalesRehearsed,
    Signature,
    SignOff,
    StopWordAgreed,
    Strand,
    Unblinded,
    UnknownEvent,
    Withdrawal,
)
from kerp.web.logbook import log_now
from kerp.web.models import Entry, Log, Person

RECORD = ("session_record",)
# The dose is looked at by people who may see milligrams and by those who may only see kit, volume and rate (M8).
VERIFY = ("dose_verify_kit", "dose_verify_mg")
_NEEDS: dict[type[Event], tuple[str, ...]] = {
    DoseVerified: VERIFY,
    DoseComputed: ("session_record", "dose_verify_mg"),
    Discharged: ("discharge_sign",),
    SignOff: ("discharge_sign",),
    Signature: ("discharge_sign",),
    EligibilityItem: ("eligibility_sign", "participant_enrol"),
}
_OF_THE_COURSE = (
    ArmGuess,
    CallBooked,
    CallMade,
    ConsentChecked,
    EligibilityItem,
    HazardsChecked,
    ItemsChosen,
    ResponsePreventionAgreed,
    ScalesRehearsed,
    StopWordAgreed,
    Withdrawal,
)


def log_or_404(person: Person, log_id: UUID) -> Log:
    """A log this person may see; anything else is not there, rather than forbidden."""
    try:
        log = log_now(log_id)
    except Log.DoesNotExist:
        raise Http404 from None
    sites = person.site_ids()
    if sites is not None and log.participant.site_id not in sites:
        raise Http404
    return log


def permissions_for(event: Event) -> tuple[str, ...]:
    """Which permissions let somebody record such an entry (any of them); none: not at the bedside."""
    if isinstance(event, LogOpened | Unblinded | UnknownEvent):
        return ()
    if event.strand is Strand.COURSE and not isinstance(event, _OF_THE_COURSE):
        return ()
    return _NEEDS.get(type(event), RECORD)


def check_may_record(person: Person, event: Event) -> tuple[str, ...]:
    """The permissions that let this person record it; `KerpError` says what is missing."""
    wanted = permissions_for(event)
    if not wanted:
        raise KerpError(Fault("this is not recorded at the bedside", field="event.type", found=event.type))
    if not any(person.may(name) for name in wanted):
        raise KerpError(Fault("this is not open to your role", field="event.type", found=event.type))
    if isinstance(event, Corrected):
        _check_may_correct(person, event)
    return wanted


def _check_may_correct(person: Person, event: Corrected) -> None:
    """Whoever corrects an entry must be allowed to make one like it, and one like what takes its place."""
    if event.replacement is not None:
        check_may_record(person, event.replacement)
    row = Entry.objects.filter(entry_id=event.entry).first() if _is_uuid(event.entry) else None
    if row is not None and row.kind in {kind.type for kind in _NEEDS}:
        kind = next(kind for kind in _NEEDS if kind.type == row.kind)
        if not any(person.may(name) for name in _NEEDS[kind]):
            raise KerpError(Fault("an entry of this kind is corrected by those who make it", found=row.kind))


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
