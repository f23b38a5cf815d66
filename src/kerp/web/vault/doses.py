"""What the arms of a blinded study hold: each arm's protocol, sealed beside the list. Opened for the pharmacy."""

from __future__ import annotations

import json
from collections.abc import Mapping

from django.db.models import Max

from kerp.base.digest import canonical, digest
from kerp.base.errors import Fault, KerpError
from kerp.protocol.blind import shared_protocol
from kerp.protocol.model import DoseRule, Protocol
from kerp.web import protocols
from kerp.web.actions import door
from kerp.web.vault import sealing, store
from kerp.web.vault.models import SealedDoses
from kerp.web.vault.router import ALIAS


def seal_doses(*, study_code: str, arms: Mapping[str, Protocol], shared: Protocol, by: str) -> SealedDoses:
    """Keep what each arm holds. `shared` is the study's own protocol, which every log names.

    Raises `KerpError` where the arms are not those of the list, or differ from one another or from the study's
    protocol in anything but the drug (M8). A later version is added; none is replaced.
    """
    listed = {arm.arm for arm in store.opened(study_code).made.plan.arms}
    if set(arms) != listed:
        allowed = ", ".join(sorted(listed))
        raise KerpError(Fault("name each arm of the list once", field="arm", found=", ".join(arms), allowed=allowed))
    shared_protocol([shared, *arms.values()], study_id=shared.id, title=shared.title, version=shared.version)
    text = canonical({arm: protocols.to_text(protocol) for arm, protocol in arms.items()})
    with door.act(ALIAS) as now:
        last = SealedDoses.objects.filter(study_code=study_code).aggregate(last=Max("number"))["last"] or 0
        return SealedDoses.objects.create(
            study_code=study_code,
            number=last + 1,
            sealed=sealing.sealed(text),
            digest=digest(text),
            made_at=now,
            made_by=by,
        )


def dose_rules(study_code: str) -> dict[str, DoseRule]:
    """The dose of every arm, in sorted order; `KerpError` where none is sealed."""
    row = SealedDoses.objects.filter(study_code=study_code).order_by("-number").first()
    if row is None:
        ways = ("kerp web seal-doses, by whoever sealed the list",)
        raise KerpError(Fault("what the arms hold is not sealed yet", field="dose", found=study_code, ways_out=ways))
    text = sealing.opened(bytes(row.sealed), "what the arms hold")
    if digest(text) != row.digest:
        raise KerpError(Fault("what the arms hold was changed", found=study_code))
    found = {arm: protocols.from_text(one).dose for arm, one in sorted(json.loads(text).items())}
    return {arm: rule for arm, rule in found.items() if rule is not None}


def verify_doses() -> None:
    """The start-up check: everything sealed opens and is what was sealed."""
    for code in SealedDoses.objects.values_list("study_code", flat=True).distinct():
        dose_rules(code)
