"""After the dose: the participant's form (handed over, by its address, or from paper)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from kerp.base.errors import Fault, KerpError
from kerp.session.events import ArmGuess, Event, Guesser, LateEntryNoted, RatingMissed
from kerp.session.view import View, view_of
from kerp.web.accounts.doors import needs, person_of
from kerp.web.actions import record
from kerp.web.bedside import api
from kerp.web.bedside.later_form import LaterForm, later_form
from kerp.web.bedside.reach import RECORD, log_or_404
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log, Person
from kerp.web.office import answers, beliefs
from kerp.web.office.desk import acting_role
from kerp.web.office.faults import add_faults
from kerp.web.sent import sent
from kerp.web.typed import TypedNumber

SALT = "kerp.later-form"
OPEN_FOR_S = 12 * 3600  # as long as a screen's token: one working day
LEFT_EMPTY = "left_empty"
_View = Callable[..., HttpResponseBase]


class GuessForm(forms.Form):
    """What the participant believes: a test of blinding."""

    guess = forms.ChoiceField(
        required=False, label="What do you think you were given?", choices=list(beliefs.WORDS.items()),
        widget=forms.RadioSelect,
    )  # fmt: skip
    certainty = TypedNumber(required=False, min_value=0, max_value=100, label="How certain are you, in per cent?")


class PaperForm(forms.Form):
    """When the paper was filled in, and why there was paper."""

    at = forms.DateTimeField(
        label="Filled in at, by the clock of the site",
        input_formats=["%Y-%m-%dT%H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    reason = forms.CharField(max_length=500, label="Why on paper")


@dataclass(frozen=True, slots=True)
class Filling:
    """The form of one session as it is shown: its scales, those that need the site's wording, and the guess."""

    log: Log
    view: View
    form: LaterForm
    scales: tuple[answers.AnswersForm, ...]
    on_paper: tuple[str, ...]  # wording is not ours to show, and the site has not brought it (M18)
    guess: GuessForm | None

    @property
    def done(self) -> bool:
        """Nothing is left that can be asked here."""
        return not self.scales and self.guess is None

    def valid(self) -> bool:
        """Every part can be read, and something was answered."""
        parts: list[forms.Form] = [*self.scales, *([self.guess] if self.guess else [])]
        good = sum(not part.is_valid() for part in parts) == 0  # each part says what is wrong with it
        if good and not self._something():
            parts[0].add_error(None, "Nothing was answered yet.")
            return False
        return good

    def _something(self) -> bool:
        given = any(any(value is not None for value in one.answers().values()) for one in self.scales)
        return given or bool(self.guess and self.guess.cleaned_data["guess"])

    def events(self) -> Iterator[tuple[UUID, Event]]:
        """What is recorded; a scale that was left empty is missing by name, never a zero (M21)."""
        for one in self.scales:
            empty = all(value is None for value in one.answers().values())
            missed = RatingMissed(instrument=one.instrument.id, reason=LEFT_EMPTY)
            yield one.cleaned_data["entry_id"], missed if empty else one.event(rated_by="participant")
        if self.guess and self.guess.cleaned_data["guess"]:
            data = self.guess.cleaned_data
            event = ArmGuess(by=Guesser.PARTICIPANT, guess=data["guess"], certainty=data["certainty"])
            yield uuid5(self.log.id, f"{self.view.record.id} later guess"), event


def filling(log: Log, session: str, data: Any) -> Filling:
    """The form of a session; 404 where the plan has none."""
    state = state_of(log)
    held = state.session(session)
    if held is None:
        raise Http404
    view = view_of(protocol_of(log), state, held, api.now_of(log))
    form = later_form(view)
    if form is None:
        raise Http404
    left = [answers.instrument(name) for name in form.left]
    packs = {one.id: answers.pack_of(one) for one in left}
    shown = [one for one in left if not answers.needs_pack(one, packs[one.id])]
    scales = tuple(answers.AnswersForm(data, instrument=one, pack=packs[one.id], prefix=one.id) for one in shown)
    names = {one.id for one in shown}
    on_paper = tuple(one.name for one in left if one.id not in names)
    guess = GuessForm(data, prefix="guess") if _guess_open(log, view) else None
    return Filling(log, view, form, scales, on_paper, guess)


def _guess_open(log: Log, view: View) -> bool:
    occasion = beliefs.found(log, view.record.id)
    if occasion is None or Guesser.PARTICIPANT not in occasion.open_for:
        return False
    return beliefs.given(state_of(log), occasion, Guesser.PARTICIPANT) is None


# --- the participant ---


def token_of(log: Log, session: str, person: Person) -> str:
    """What opens the form and nothing else, for half a day."""
    return signing.dumps([str(log.id), session, str(person.public_id)], salt=SALT, compress=True)


def by_token(view: _View) -> _View:
    """Opens to whoever holds the address of one form; no account is asked for."""

    @wraps(view)
    def guarded(request: HttpRequest, token: str) -> HttpResponseBase:
        try:
            log_id, session, issuer = signing.loads(token, salt=SALT, max_age=OPEN_FOR_S)
        except signing.BadSignature:
            return render(request, "kerp/bedside/later_form_closed.html", status=401)
        log = Log.objects.select_related("participant__study", "participant__site", "participant__version")
        return view(request, log.get(id=log_id), session, Person.objects.get(public_id=issuer))

    guarded.kerp_permissions = ()  # type: ignore[attr-defined]  # read by the permission crawl
    return guarded


@require_http_methods(["GET", "HEAD", "POST"])
@by_token
def fill_in(request: HttpRequest, log: Log, session: str, issuer: Person) -> HttpResponseBase:
    """The form itself: no name, no code, no arm, nothing of the session."""
    now = filling(log, session, sent(request))
    if request.method == "POST" and not now.done and _may_open(now) and now.valid():
        try:
            _keep(now, actor=issuer, role="participant", device="participant form", at_ms=None, why="")
            return HttpResponseRedirect(request.path)
        except KerpError as error:
            add_faults(now.scales[0] if now.scales else now.guess, error)  # type: ignore[arg-type]
    opens = record.site_clock(log, now.form.opens_ms) if now.form.opens_ms is not None else None
    context = {"now": now, "opens": opens, "open": _may_open(now)}
    return render(request, "kerp/bedside/later_form.html", context)


def _may_open(now: Filling) -> bool:
    return now.form.opens_ms is not None and now.view.now_ms >= now.form.opens_ms


def _keep(now: Filling, *, actor: Person, role: str, device: str, at_ms: int | None, why: str) -> None:
    """Every part, or none of it; what comes from paper keeps its own time and says why it is late (M9)."""
    shared: Any = {"session": now.view.record.id, "role": role, "device": device}
    submitted: list[record.Submitted] = []
    for identifier, event in now.events():
        submitted.append(record.Submitted(id=identifier, event=event, occurred_ms=at_ms, **shared))
        if why:
            late = LateEntryNoted(entry=str(identifier), reason=why)
            submitted.append(record.Submitted(id=uuid5(identifier, "late"), event=late, **shared))
    record.append_all(log_id=now.log.id, actor=actor.username, submitted=submitted)


# --- the team ---


@require_http_methods(["GET", "HEAD", "POST"])
@needs("session_record")
def form_desk(request: HttpRequest, log_id: UUID, session: str) -> HttpResponseBase:
    """Hand the form over, give its address, or take it over from paper."""
    person = person_of(request)
    log = log_or_404(person, log_id)
    address = reverse("later_form", args=[token_of(log, session, person)])
    if request.method == "POST" and "hand_over" in request.POST:
        filling(log, session, None)  # 404 before anybody is signed out
        logout(request)
        return HttpResponseRedirect(address)
    now, paper = filling(log, session, sent(request)), PaperForm(sent(request))
    if request.method == "POST" and not now.done and _both(now, paper):
        try:
            data = paper.cleaned_data
            at_ms = _paper_ms(now, data["at"])
            role = acting_role(person, *RECORD)
            _keep(now, actor=person, role=role, device="paper", at_ms=at_ms, why=data["reason"])
            messages.success(request, "Taken over from paper, marked as late.")
            return HttpResponseRedirect(request.path)
        except KerpError as error:
            add_faults(paper, error)
    due = record.site_clock(log, now.form.due_ms) if now.form.due_ms is not None else None
    context = {"now": now, "paper": paper, "due": due, "address": request.build_absolute_uri(address)}
    context |= {"log": log_id, "session": session, "open": _may_open(now), "participant": log.participant}
    return render(request, "kerp/bedside/later_form_desk.html", context)


def _both(now: Filling, paper: PaperForm) -> bool:
    good = paper.is_valid()
    return now.valid() and good


def _paper_ms(now: Filling, at: Any) -> int:
    """The clock time of the site on the log's clock; neither before the form opened nor in the future."""
    local = at.replace(tzinfo=ZoneInfo(now.log.participant.site.zone))
    at_ms = record.elapsed_ms(now.log, local)
    opens_ms = now.form.opens_ms
    if opens_ms is None or not opens_ms <= at_ms <= now.view.now_ms:
        allowed = "not before the form opens, not in the future"
        raise KerpError(Fault("it was not filled in then", field="at", found=f"{local:%H:%M}", allowed=allowed))
    return at_ms
