"""A study to look at: one account per role, participants at several stages. Never beside real data.

Everything goes through the same doors as real work, so that what is shown is what the application does.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from django.conf import settings

from kerp.base.errors import Fault, KerpError
from kerp.protocol.model import Protocol
from kerp.session.events import (
    ConsentChecked,
    EligibilityItem,
    Event,
    HazardsChecked,
    HierarchyItem,
    ItemsChosen,
    Origin,
    ResponsePreventionAgreed,
    ScaleAnswered,
    ScalesRehearsed,
    StopWordAgreed,
    VisitHeld,
)
from kerp.web import protocols
from kerp.web.access import matrix
from kerp.web.actions import participants, people, record, study
from kerp.web.course import protocol_of
from kerp.web.models import Log, Participant, Person, Site, Study
from kerp.web.office.answers import instrument

PASSWORD = "demonstration"  # noqa: S105  known on purpose: refused outside a demonstration
NAMES = {
    "administrator": "Ada Admin",
    "coordinator": "Carla Coordinator",
    "prescriber": "Paul Prescriber",
    "nurse": "Nora Nurse",
    "therapist": "Theo Therapist",
    "rater": "Rita Rater",
    "pharmacist": "Phil Pharmacist",
    "data_manager": "Dana Data",
    "statistician": "Stan Statistician",
    "monitor": "Mona Monitor",
}
# Items written for kerp: nobody's hierarchy. Name, trigger, feared outcome, SUDS, modality, props.
ITEMS: tuple[tuple[str, str, str, int, str, tuple[str, ...]], ...] = (
    ("letter", "Open yesterday's post", "Dirt from outside gets onto me", 25, "object", ("letter",)),
    ("handle", "Hold a door handle", "I catch something and pass it on", 35, "object", ("door handle",)),
    ("coin", "Keep coins in the palm", "Invisible dirt spreads to everything", 40, "object", ("coins",)),
    ("cloth", "Touch a used kitchen cloth", "I can never get clean again", 50, "object", ("cloth",)),
    ("bin", "Touch the lid of a waste bin", "Someone at home falls ill because of me", 60, "object", ("bin lid",)),
    ("picture", "Look at a picture of a dirty sink", "I carry it home with me", 65, "image", ()),
    ("script", "Listen to the script about the ward", "I am to blame for an outbreak", 75, "audio", ()),
    ("phone", "Use a phone that lay on the floor", "I contaminate my child", 85, "object", ("old phone",)),
)
CHOSEN = ("cloth", "script")


def known_passwords() -> list[str]:
    """Accounts of a demonstration that can still be signed in to with its password. None where there is real work."""
    if not Study.objects.filter(code="demo").exists():
        return []
    names = [role.replace("_", "-") for role in NAMES]
    people = Person.objects.filter(username__in=names, is_active=True)
    return [person.username for person in people if person.check_password(PASSWORD)]


def seed(*, clock_speed: int = 1) -> Study:
    """Fill an empty installation. Refused when it is not a demonstration, or when somebody has an account already."""
    if not settings.KERP.demo:
        raise KerpError(Fault("this installation is not a demonstration", ways_out=("kerp serve --demo",)))
    if Person.objects.exists():
        raise KerpError(Fault("this installation is in use already", ways_out=("choose an empty --data-dir",)))
    team = {role: _person(role) for role in matrix().roles}
    made = _study(team)
    site = study.create_site(
        code="demo", name="Demonstration clinic", zone="Europe/Paris", actor=team["administrator"]
    )
    for number, stage in enumerate((_ready, _screened, _registered), start=1):
        one = participants.register(
            study=made,
            site=site,
            code=f"DEMO-{number:02}",
            actor=team["coordinator"],
            origin=Origin.DEMONSTRATION,
            clock_speed=clock_speed,
        )
        participants.assign(participant=one, person=team["rater"], role="rater", actor=team["coordinator"])
        stage(one)
    return made


def another(*, actor: Person, clock_speed: int) -> Participant:
    """One more participant of the demonstration, ready for the day of the dose."""
    made = Study.objects.filter(code="demo").first()
    if not settings.KERP.demo or made is None:
        raise KerpError(Fault("this installation is not a demonstration", ways_out=("kerp serve --demo",)))
    one = participants.register(
        study=made,
        site=Site.objects.get(code="demo"),
        code=f"DEMO-{made.participants.count() + 1:02}",
        actor=actor,
        origin=Origin.DEMONSTRATION,
        clock_speed=clock_speed,
    )
    _ready(one)
    return one


def _person(role: str) -> Person:
    made = people.create(username=role.replace("_", "-"), full_name=NAMES[role], actor="", password=PASSWORD)
    people.grant(person=made, role=role, actor=None, reason="demonstration")
    return made


def _study(team: dict[str, Person]) -> Study:
    made = study.create_study(
        code="demo",
        title="Exposure during ketamine: a demonstration",
        blinded=False,
        target=12,
        actor=team["administrator"],
    )
    name = "bottemanne2021-iv"
    version = study.add_version(
        study=made,
        resolved=protocols.shipped(name),
        source_text=f'inherits = "{name}"\n',
        warnings=[],
        why="",
        actor=team["coordinator"],
    )
    study.sign_rules(version=version, actor=team["prescriber"])
    return made


def _write(participant: Participant, actor: str, events: Iterator[Event]) -> None:
    log = Log.objects.get(participant=participant)
    role = {"rater": "blind_rater"}.get(actor, actor)
    submitted = [record.Submitted(id=uuid.uuid4(), event=event, role=role) for event in events]
    record.append_all(log_id=log.id, actor=actor, submitted=submitted)


def _registered(participant: Participant) -> None:
    """Nothing but a code."""


def _screened(participant: Participant) -> None:
    """Half of the criteria, and the consent."""
    protocol = protocol_of(participant.log)
    _write(participant, "coordinator", iter([ConsentChecked(version="2.0", confirmed=True)]))
    _write(participant, "coordinator", (event for number, event in enumerate(_eligible(protocol)) if number % 2))


def _ready(participant: Participant) -> None:
    """Everything that can be done before the day of the dose."""
    protocol = protocol_of(participant.log)
    _write(participant, "coordinator", iter([ConsentChecked(version="2.0", confirmed=True)]))
    _write(participant, "prescriber", _eligible(protocol))
    _write(participant, "therapist", _plan(protocol))
    for visit in (visit for visit in protocol.visits if visit.day <= 0):
        blinded = [item.instrument for item in visit.assessments if item.blinded]
        _write(participant, "rater", (_rating(name) for name in blinded))
        _write(participant, "coordinator", iter([VisitHeld(visit=visit.id)]))


def _eligible(protocol: Protocol) -> Iterator[Event]:
    active = (one for one in protocol.criteria if one.active)
    return (EligibilityItem(criterion=one.id, met=True, reason="demonstration") for one in active)


def _plan(protocol: Protocol) -> Iterator[Event]:
    for name, trigger, feared, suds, modality, props in ITEMS:
        yield HierarchyItem(
            item=name,
            trigger=trigger,
            feared_outcome=feared,
            theme="contamination",
            suds=suds,
            modality=modality,
            props=props,
        )
    yield ResponsePreventionAgreed(
        agreed=True,
        overt_rituals=("washing hands", "wiping the phone"),
        mental_rituals=("counting to seven",),
        text="I leave my hands as they are until the next morning.",
    )
    yield StopWordAgreed(word="river")
    yield ScalesRehearsed(instruments=("suds", "urge", "felt_effect"))
    for plan in (plan for plan in protocol.sessions if plan.exposure is not None):
        yield ItemsChosen(plan=plan.id, items=CHOSEN)
    yield HazardsChecked(items=CHOSEN, safe=True)


def _rating(name: str) -> Event:
    """Moderate answers: the middle of each item's range, rounded down to its step."""
    scale = instrument(name)
    answers = {item.id: item.min + (item.max - item.min) // 2 for item in scale.items}
    return ScaleAnswered(instrument=scale.id, version=scale.version, answers=answers, rated_by="blind_rater")
