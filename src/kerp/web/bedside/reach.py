"""Who reaches which session, and which kind of entry needs which permission. Knows nothing of screens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from django.http import Http404

from kerp.base.errors import Fault, KerpError
from kerp.session.codec import decode
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
    Guesser,
    HazardsChecked,
    ItemsChosen,
    LogOpened,
    ResponsePreventionAgreed,
    ScaleAnswered,
    ScalesRehearsed,
    Signature,
    SignOff,
    StopWordAgreed,
    Strand,
    Unblinded,
    UnknownEvent,
    Withdrawal,
)
from kerp.session.events import Entry as LoggedEntry
from kerp.web.logbook import log_now
from kerp.web.models import Entry, Log, Person
from kerp.web.sight import roles_with

RECORD = ("session_record",)
OF_THE_RATER = frozenset({"rater", "blind_rater"})  # the role here, and what protocols call it
PARTICIPANT = "participant"
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
    """A log this person may see; anything else is not there, rather than forbidden.

    That of a participant whom this person rates blinded is forbidden, in words (`RatesBlindedError`, M7).
    """
    try:
        log = log_now(log_id)
    except Log.DoesNotExist:
        raise Http404 from None
    sites = person.site_ids()
    if sites is not None and log.participant.site_id not in sites:
        raise Http404
    roles_with(log.participant_id, person)
    return log


def permissions_for(event: Event) -> tuple[str, ...]:
    """Which permissions let somebody record such an entry (any of them); none: not at the bedside."""
    if isinstance(event, LogOpened | Unblinded | UnknownEvent):
        return ()
    if event.strand is Strand.COURSE and not isinstance(event, _OF_THE_COURSE):
        return ()
    return _NEEDS.get(type(event), RECORD)


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody records: a session of a log."""

    log_id: UUID
    session: str


def check_may_record(person: Person, event: Event, place: Place) -> tuple[str, ...]:
    """The permissions that let this person record it; `KerpError` says what is missing."""
    wanted = permissions_for(event)
    if not wanted:
        raise KerpError(Fault("this is not recorded at the bedside", field="event.type", found=event.type))
    if not any(person.may(name) for name in wanted):
        raise KerpError(Fault("this is not open to your role", field="event.type", found=event.type))
    _check_whose(person, event)
    if isinstance(event, Corrected):
        _check_may_correct(person, event, place)
    return wanted


def _check_whose(person: Person, event: Event) -> None:
    """Nobody at the bedside rates or guesses as the blinded rater; a scale is rated by who holds the role (M7)."""
    if isinstance(event, ArmGuess) and event.by is Guesser.RATER:
        raise KerpError(Fault("the blinded rater guesses on a page of their own", field="event.by", found=event.by))
    said = getattr(event, "rated_by", None)
    if said is None:
        return
    as_rater = said.lower() in OF_THE_RATER
    if as_rater or (isinstance(event, ScaleAnswered) and said not in {PARTICIPANT, *person.role_ids()}):
        allowed = ", ".join([PARTICIPANT, *sorted(person.role_ids() - OF_THE_RATER)])
        raise KerpError(Fault("this was not rated in your role", field="event.rated_by", found=said, allowed=allowed))


def _check_may_correct(person: Person, event: Corrected, place: Place) -> None:
    """Whoever corrects an entry of this session may make one like it, and one like what takes its place.

    What came from the office or from the blinded rater stands: nothing at the bedside changes it (M15). An entry that
    is not there yet is corrected all the same: its correction came first, and means nothing until it comes.
    """
    if isinstance(event.replacement, Signature):
        raise KerpError(Fault("a signature is asked for, with a fresh proof of who signs", field="event.replacement"))
    if event.replacement is not None:
        check_may_record(person, event.replacement, place)
    row = Entry.objects.filter(entry_id=event.entry).first() if _is_uuid(event.entry) else None
    if row is None:
        return
    if row.log_id != place.log_id:
        raise KerpError(Fault("this entry is not of this log", field="event.entry", found=event.entry))
    _check_own_session(decode(row.data()), person, place)


def _check_own_session(stands: LoggedEntry, person: Person, place: Place) -> None:
    of_rater = stands.role in OF_THE_RATER or getattr(stands.event, "rated_by", "") in OF_THE_RATER
    if of_rater or stands.session != place.session:
        ways = (
            "write down what is wrong with it as a deviation",
            "a new entry with what is right, where it was made",
        )
        message = "an entry that was not made in this session is not corrected here"
        raise KerpError(Fault(message, field="event.entry", found=stands.event.type, ways_out=ways))
    if isinstance(stands.event, ArmGuess) and stands.actor != person.username:
        raise KerpError(Fault("a guess is corrected by who wrote it down", field="event.entry"))
    if not any(person.may(name) for name in permissions_for(stands.event)):
        raise KerpError(Fault("an entry of this kind is corrected by those who make it", found=stands.event.type))
    if isinstance(stands.event, Corrected):  # to undo a correction is to change again what it speaks of
        _check_may_correct(person, replace(stands.event, replacement=None), place)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
