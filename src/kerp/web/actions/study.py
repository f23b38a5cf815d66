"""Study, sites, protocol versions."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import Max

from kerp.base.digest import canonical, digest
from kerp.base.errors import Fault, KerpError
from kerp.protocol.blind import masked
from kerp.protocol.digest import protocol_digest
from kerp.protocol.load import Resolved
from kerp.protocol.model import Protocol
from kerp.web import protocols
from kerp.web.actions import audit, door
from kerp.web.models import Person, ProtocolVersion, Site, Study

MEANING = "I have read the hold and stop rules of this version and put them in force."


def create_site(*, code: str, name: str, zone: str, actor: Person) -> Site:
    """Add a site. The zone decides what 'today' is there."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise KerpError(
            Fault("there is no such time zone", field="zone", found=zone, allowed="such as Europe/Paris")
        ) from None
    with door.act():
        if Site.objects.filter(code=code).exists():
            raise KerpError(Fault("there is a site of that code", field="code", found=code))
        site = Site.objects.create(code=code, name=name, zone=zone)
        audit.record(actor=actor.username, act="site.created", subject=f"site:{code}")
    return site


def create_study(*, code: str, title: str, blinded: bool, target: int, actor: Person) -> Study:
    """Add a study; its protocol comes with the first version."""
    with door.act() as now:
        if Study.objects.filter(code=code).exists():
            raise KerpError(Fault("there is a study of that code", field="code", found=code))
        study = Study.objects.create(
            code=code, title=title, blinded=blinded, target=target, created_at=now, created_by=actor
        )
        details = {"blinded": blinded, "target": target}
        audit.record(actor=actor.username, act="study.created", subject=f"study:{code}", details=details)
    return study


def add_version(
    *, study: Study, resolved: Resolved, source_text: str, warnings: list[str], why: str, actor: Person
) -> ProtocolVersion:
    """Add a checked protocol as the study's next version. It is not in force before somebody signed its rules.

    A blinded study keeps what its arms share: an arm's own protocol is masked, so that no log, page or export of a
    participant names the drug of one arm (M8). What the arms hold is sealed beside the list (`kerp web seal-doses`).
    """
    digests, protocol = resolved.digests, _shared(study, resolved.protocol)
    said = protocol_digest(protocol)
    with door.act() as now:
        last = study.versions.aggregate(last=Max("number"))["last"] or 0
        if last and not why.strip():
            raise KerpError(Fault("an amendment needs its reason", field="why"))
        if study.versions.filter(digest=said).exists():
            raise KerpError(Fault("this very protocol is a version of the study already", found=said))
        version = ProtocolVersion.objects.create(
            study=study,
            number=last + 1,
            protocol_id=protocol.id,
            title=protocol.title,
            source_text=source_text,
            resolved=protocols.to_text(protocol),
            digest=said,
            base_digest=digests.base,
            overlay_digest=digests.overlay,
            rules_digest=digests.stopping_rules,
            warnings=canonical(warnings),
            why=why,
            created_at=now,
            created_by=actor,
        )
        details = {"number": version.number, "digest": version.digest}
        audit.record(
            actor=actor.username, act="protocol.added", subject=f"study:{study.code}", reason=why, details=details
        )
    return version


def _shared(study: Study, protocol: Protocol) -> Protocol:
    if study.blinded != protocol.blinded:
        word = {True: "blinded", False: "open"}
        message = f"the study is {word[study.blinded]}, this protocol is {word[protocol.blinded]}"
        raise KerpError(Fault(message, field="blinded"))
    if not study.blinded:
        return protocol
    return masked(protocol, study_id=study.code, title=study.title, version=protocol.version)


def sign_rules(*, version: ProtocolVersion, actor: Person, meaning: str = MEANING) -> ProtocolVersion:
    """Sign the hold and stop rules of a version and put it in force (M16). Running participants keep theirs."""
    with door.act() as now:
        version = ProtocolVersion.objects.select_for_update(of=("self",)).get(pk=version.pk)
        if version.signed_at is not None:
            raise KerpError(Fault("this version is signed already", field="version", found=str(version.number)))
        version.signed_at = version.active_from = now
        version.signed_by, version.signed_meaning = actor, meaning
        version.save(update_fields=["signed_at", "active_from", "signed_by", "signed_meaning"])
        details = {
            "number": version.number,
            "digest": version.digest,
            "rules": digest(protocols.from_text(version.resolved).rules),
            "meaning": meaning,
        }
        audit.record(actor=actor.username, act="rules.signed", subject=f"study:{version.study.code}", details=details)
    return version


def in_force(study: Study) -> ProtocolVersion | None:
    """The newest signed version: what a participant who is registered now gets."""
    return study.versions.exclude(signed_at=None).order_by("-number").first()
