"""One more participant for a simulated team, in a demonstration only: elsewhere there is nothing at this address."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_POST
from pydantic import Field

from kerp.session.events import Origin
from kerp.web import demo
from kerp.web.accounts.doors import needs, person_of
from kerp.web.actions.record import elapsed_ms
from kerp.web.bedside.api import answers
from kerp.web.bedside.wire import Wire, read
from kerp.web.models import Log

FASTEST = 1000


class Wanted(Wire):
    """How fast the session clock of this participant is to run."""

    speed: int = Field(ge=1, le=FASTEST, description="session seconds for each second that passes")


@require_POST
@needs("participant_enrol")
@answers
def participant(request: HttpRequest) -> HttpResponseBase:
    """Register a participant who is ready for the day of the dose; the record says it is a demonstration."""
    if not settings.KERP.demo:
        raise Http404
    wanted = read(Wanted, request.body)
    made = demo.another(actor=person_of(request), clock_speed=wanted.speed)
    log = Log.objects.get(participant=made)
    return JsonResponse(
        {
            "log": str(log.id),
            "participant": made.code,
            "protocol": made.version.protocol_id,
            "origin": str(Origin.DEMONSTRATION),
            "speed": log.clock_speed,
            "now_ms": elapsed_ms(log, timezone.now()),
        }
    )
