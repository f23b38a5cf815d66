"""Addresses of the participant's screen, and of the library behind it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.files.uploadhandler import MemoryFileUploadHandler, SkipFile
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kerp.base.errors import Fault, KerpError
from kerp.session.codec import decode_event
from kerp.session.events import FeltEffectRated, StimulusShown, SudsRated, UrgeRated
from kerp.session.view import view_of
from kerp.web.accounts.doors import needs, person_of
from kerp.web.actions import record
from kerp.web.bedside.api import answers, opened_session
from kerp.web.bedside.pulse import Ear
from kerp.web.bedside.reach import PARTICIPANT, log_or_404
from kerp.web.bedside.stream import BEAT_S, LIVES_S, message
from kerp.web.bedside.wire import EntryIn, Wire, read, uuid_of
from kerp.web.course import protocol_of, state_of
from kerp.web.display import library, screens
from kerp.web.display.content import LARGEST_BYTES, MODALITIES
from kerp.web.display.models import Screen, Stimulus
from kerp.web.display.showing import asked, showing
from kerp.web.office.faults import add_faults
from kerp.web.typed import TypedWhole
from kerp.web.workers import looked_up

_View = Callable[..., HttpResponseBase]
_LARGEST = f"{LARGEST_BYTES // 2**20} MB"
FROM_A_SCREEN = (StimulusShown, SudsRated, UrgeRated, FeltEffectRated)


def joined(view: _View) -> _View:
    """Opens to a browser that holds the token of a screen, and to nobody else; no account is asked for."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        screen = screens.screen_of(request)
        if screen is None:
            return JsonResponse({"error": "this screen has not joined", "at": reverse("display_join")}, status=401)
        return view(request, screen, *args, **kwargs)

    guarded.kerp_permissions = ()  # type: ignore[attr-defined]  # read by the permission crawl
    return guarded


# --- joining ---


class _CodeForm(forms.Form):
    code = forms.CharField(
        max_length=12,
        label="Code",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "autofocus": True}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
def join(request: HttpRequest) -> HttpResponseBase:
    """Type the code that the therapist reads out."""
    form = _CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            token = screens.join(code=form.cleaned_data["code"], address=request.META.get("REMOTE_ADDR", ""))
        except KerpError as error:
            add_faults(form, error)
        else:
            response = HttpResponseRedirect(reverse("display_show"))
            age = int(screens.TOKEN_LIVES.total_seconds())
            response.set_cookie(
                screens.COOKIE, token, max_age=age, httponly=True, secure=request.is_secure(), samesite="Strict"
            )
            return response
    return render(request, "kerp/display/join.html", {"form": form})


join.kerp_permissions = ()  # type: ignore[attr-defined]  # read by the permission crawl


class _Wish(Wire):
    """What a screen is for: showing only, or also for the participant's own ratings."""

    may_rate: bool = False


@require_POST
@needs("session_record")
@answers
def invite(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """A code for one screen, read out by whoever leads the exposure."""
    log = opened_session(request, log_id, session)
    wish = read(_Wish, request.body or b"{}")
    code = screens.invite(log=log, session=session, actor=person_of(request), may_rate=wish.may_rate)
    return JsonResponse({"code": code, "at": reverse("display_join")})


# --- the screen ---


@require_safe
@joined
def show(request: HttpRequest, screen: Screen) -> HttpResponse:
    """The screen itself: calm until something is shown."""
    return render(request, "kerp/display/show.html", {"screen": screen})


@require_safe
@joined
def stream(request: HttpRequest, screen: Screen) -> HttpResponseBase:  # noqa: ARG001  Django's signature
    """What to show, and a beat every second: a screen that hears none for three goes calm."""
    response = StreamingHttpResponse(_shown(screen), content_type="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"
    return response


async def _shown(screen: Screen) -> AsyncIterator[bytes]:
    ends, last = time.monotonic() + LIVES_S, None
    async with Ear(screen.log_id) as ear:
        yield b"retry: 500\n\n"
        while time.monotonic() < ends:
            now = await looked_up(_look, screen)
            if now is None:
                return
            yield message("show" if now != last else "beat", now)
            last = now
            await ear.wait(BEAT_S)


def _look(screen: Screen) -> dict[str, Any] | None:
    """What the screen should show now; None once it was ended."""
    if not Screen.objects.filter(id=screen.id, ended_at=None).exists():
        return None
    log = screen.log
    state = state_of(log)
    held = state.session(screen.session)
    if held is None:
        return {"order": 0, "calm": True}
    view = view_of(protocol_of(log), state, held, record.elapsed_ms(log, timezone.now()))
    now = showing(view)
    shown = {"order": now.order, "calm": now.calm, "block": now.block, "intensity": now.intensity}
    shown["ask"] = asked(view) if screen.may_rate else ""
    if not now.calm:
        stimulus = (
            Stimulus.objects.filter(id=now.stimulus, participant=log.participant).first()
            if _is_id(now.stimulus)
            else None
        )
        if stimulus is None:
            return shown | {"calm": True}
        shown |= {"stimulus": str(stimulus.id), "modality": stimulus.modality}
    return shown


def _is_id(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


@require_safe
@joined
@answers
def media(request: HttpRequest, screen: Screen, stimulus_id: UUID) -> HttpResponseBase:  # noqa: ARG001  Django's signature
    """What a stimulus holds, for a screen of the participant whose it is."""
    stimulus = get_object_or_404(Stimulus, id=stimulus_id, participant=screen.log.participant)
    response = HttpResponse(library.content(stimulus), content_type=stimulus.media_type)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


class _ShownIn(Wire):
    """What a screen tells: what it really showed, or what the participant tapped. `ago_ms`: how long since."""

    entry: EntryIn
    ago_ms: int


@require_POST
@joined
@answers
def told(request: HttpRequest, screen: Screen) -> HttpResponseBase:
    """Onset and end as they really were, by the screen's own clock counted back from now."""
    said = read(_ShownIn, request.body)
    event = decode_event(said.entry.event)
    if not isinstance(event, FROM_A_SCREEN) or (not screen.may_rate and not isinstance(event, StimulusShown)):
        raise KerpError(Fault("a screen does not say this", field="entry.event.type", found=event.type))
    if getattr(event, "rated_by", PARTICIPANT) != PARTICIPANT:
        raise KerpError(Fault("on a screen the participant rates", field="entry.event.rated_by", allowed=PARTICIPANT))
    if not 0 <= said.ago_ms <= 10**8:
        raise KerpError(Fault("this is no time that has passed", field="ago_ms", found=str(said.ago_ms)))
    kept = screens.keep(screen, uuid_of(said.entry.id), event, said.ago_ms)
    return JsonResponse({"result": "stored" if kept.created else "known", "seq": kept.entry.seq})


# --- the library ---


@require_safe
@needs("session_view")
@answers
def stimuli(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """The participant's manifest, for choosing at the bedside."""
    log = opened_session(request, log_id, session)
    return JsonResponse({"stimuli": library.listed(log.participant)})


class _Whole(MemoryFileUploadHandler):
    """Keeps an upload in memory, whatever its size up to the limit: nothing is written before it is encrypted.

    A larger one is read to its end and thrown away as it comes, so that the page can answer with what was typed.
    """

    seen = 0  # bytes that came

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        super().handle_raw_input(*args, **kwargs)
        self.activated = True

    @property
    def too_large(self) -> bool:
        """Whether more came than is kept."""
        return self.seen > LARGEST_BYTES

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        self.seen += len(raw_data)
        if self.too_large:
            self.file.close()
            raise SkipFile
        return super().receive_data_chunk(raw_data, start)


class StimulusForm(forms.Form):
    """One line of the manifest, and what it stands for."""

    too_large = False

    title = forms.CharField(max_length=120, label="Title", help_text="Not the name of a person.")
    modality = forms.ChoiceField(
        label="How it is shown", choices=[(one.id, one.title) for one in MODALITIES.values()]
    )
    text = forms.CharField(
        required=False,
        max_length=20_000,
        label="Text",
        widget=forms.Textarea,
        help_text="For a text or a prompt card.",
    )
    file = forms.FileField(
        required=False, label="File", help_text=f"JPEG, PNG, WebP, MP3, Ogg, WAV, MP4 or WebM; at most {_LARGEST}."
    )
    theme = forms.CharField(required=False, max_length=80, label="Theme")
    intensity = TypedWhole(min_value=0, max_value=100, label="Rated by the participant, 0 to 100")
    licence = forms.CharField(max_length=120, label="Licence, or who made it and agreed")
    warning = forms.CharField(required=False, max_length=300, label="Content warning")
    personal = forms.BooleanField(
        required=False,
        label="Personal",
        help_text="It shows or tells of the participant's own people, places or things.",
    )
    consent = forms.CharField(
        required=False,
        max_length=200,
        label="Consent",
        help_text="For something personal: who agreed, when, on which form. Without it nothing personal is kept.",
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.too_large:
            message = f"This file is larger than {_LARGEST}, the most that is kept. Nothing was kept of it."
            self.add_error("file", message)
        elif bool(data.get("text")) == bool(data.get("file")):
            self.add_error("file", "Either a text or a file is asked for.")
        return data


@csrf_exempt  # checked below, after the upload handler was chosen: Django reads the body to look for the token
@require_http_methods(["GET", "HEAD", "POST"])
@needs("session_view")
def shelf(request: HttpRequest, log_id: UUID) -> HttpResponseBase:
    """The stimulus library of one participant."""
    handler = _Whole(request)
    request.upload_handlers = [handler]
    return _shelf(request, log_id, handler)


@csrf_protect
def _shelf(request: HttpRequest, log_id: UUID, upload: _Whole) -> HttpResponseBase:
    person = person_of(request)
    log = log_or_404(person, log_id)
    form = StimulusForm(request.POST or None, request.FILES or None)
    form.too_large = upload.too_large
    if request.method == "POST":
        if not person.may("plan_edit"):
            return JsonResponse({"error": "adding is not open to your role"}, status=403)
        if _acted(request, form, log.participant):
            return HttpResponseRedirect(request.path)
    shelf_now = log.participant.stimuli.filter(retired_at=None)
    context = {"participant": log.participant, "log": log, "form": form, "shelf": shelf_now}
    return render(request, "kerp/display/library.html", context)


def _acted(request: HttpRequest, form: StimulusForm, participant: Any) -> bool:
    person = person_of(request)
    if "neutral" in request.POST:
        count = library.add_neutral(participant=participant, actor=person)
        messages.success(request, f"{count} neutral items were added.")
        return True
    if "retire" in request.POST and _is_id(request.POST["retire"]):
        stimulus = get_object_or_404(Stimulus, id=request.POST["retire"], participant=participant)
        library.retire(stimulus=stimulus, actor=person)
        return True
    if not form.is_valid():
        return False
    data = dict(form.cleaned_data)
    text, file = data.pop("text"), data.pop("file")
    data["intensity"] = data["intensity"] / 100
    try:
        library.add(participant=participant, actor=person, data=file.read() if file else text.encode(), **data)
    except KerpError as error:
        add_faults(form, error)
        return False
    messages.success(request, "Added, encrypted.")
    return True
