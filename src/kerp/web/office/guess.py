"""Guesses of the arm: the therapist's own, the rater's own, and the page that is handed to the participant (M8).

No page here shows an arm, another person's guess, or whether a guess was right.
"""

from __future__ import annotations

import uuid
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kerp.base.errors import KerpError
from kerp.session.events import ArmGuess, Guesser
from kerp.web.accounts.doors import needs, person_of
from kerp.web.accounts.handover import hand_over, handed
from kerp.web.actions import record
from kerp.web.actions.record import site_clock
from kerp.web.course import protocol_of, state_of
from kerp.web.models import Log, Participant, Person
from kerp.web.office import beliefs, standing
from kerp.web.office.desk import EntryForm, acting_role, log_of, participant_or_404
from kerp.web.office.faults import add_faults
from kerp.web.office.rating import ROLE as RATER_ROLE
from kerp.web.office.rating import mine
from kerp.web.sent import sent
from kerp.web.typed import TypedWhole


class GuessForm(EntryForm):
    """Guess, certainty, reason."""

    guess = forms.ChoiceField(
        choices=list(beliefs.WORDS.items()), widget=forms.RadioSelect, label="What do you think was given?"
    )
    certainty = TypedWhole(min_value=0, max_value=100, label="How sure are you, from 0 to 100 per cent?")
    because = forms.ChoiceField(
        choices=list(beliefs.BECAUSE.items()), widget=forms.RadioSelect, label="What is it based on, most of all?"
    )
    reason = forms.CharField(
        required=False, max_length=2000, label="In your own words", widget=forms.Textarea(attrs={"rows": 2})
    )

    def event(self, by: Guesser, occasion: beliefs.Occasion) -> ArmGuess:
        """The entry."""
        data = {name: value for name, value in self.cleaned_data.items() if name != "entry_id"}
        return ArmGuess(by=by, visit=occasion.visit, **data)


def rows(log: Log, asked: tuple[Guesser, ...]) -> list[dict[str, Any]]:
    """Planned times and whether each of `asked` has answered: that, and never what."""
    protocol, state = protocol_of(log), state_of(log)
    planned = beliefs.occasions(protocol, state, standing.now_ms(log))
    return [
        {
            "occasion": one,
            "due": site_clock(log, one.due_ms) if one.due_ms is not None else None,
            "people": [
                {"by": by, "given": beliefs.given(state, one, by) is not None, "open": by in one.open_for}
                for by in asked
                if by in one.asked
            ],
        }
        for one in planned
        if set(asked) & set(one.asked)
    ]


@require_safe
@needs("session_record", "visit_record")
def guesses(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Planned times of one participant: who has answered, whose turn it is."""
    person = person_of(request)
    participant = _blinded_or_404(person, public_id)
    listed = rows(log_of(participant), (Guesser.PARTICIPANT, Guesser.THERAPIST))
    context = {"participant": participant, "rows": listed, "treats": _treats(person, participant)}
    return render(request, "kerp/rating/guesses.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("session_record")
def own(request: HttpRequest, public_id: UUID, occasion: str) -> HttpResponseBase:
    """The therapist's own guess. Only of somebody who treats this participant."""
    person = person_of(request)
    participant = _blinded_or_404(person, public_id)
    if not _treats(person, participant):
        raise PermissionDenied
    back = reverse("guesses", args=[public_id])
    asked = _Asked(participant, occasion, Guesser.THERAPIST, "therapist")
    return _page(request, asked, back=back) or HttpResponseRedirect(back)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("rate_blinded")
def rater(request: HttpRequest, public_id: UUID, occasion: str) -> HttpResponseBase:
    """The blinded rater's own guess, at a visit."""
    participant = next((one for one in mine(person_of(request)) if one.public_id == public_id), None)
    if participant is None:
        raise Http404
    back = reverse("rating")
    asked = _Asked(participant, occasion, Guesser.RATER, RATER_ROLE)
    return _page(request, asked, back=back) or HttpResponseRedirect(back)


@require_POST
@needs("session_record", "visit_record")
def give(request: HttpRequest, public_id: UUID, occasion: str) -> HttpResponseBase:
    """Hand this device to the participant: nothing but their page opens until it is taken back."""
    person = person_of(request)
    participant = _blinded_or_404(person, public_id)
    asked = _Asked(participant, occasion, Guesser.PARTICIPANT, acting_role(person, "session_record", "visit_record"))
    asked.planned()
    hand_over(request, participant=str(public_id), occasion=occasion)
    return HttpResponseRedirect(reverse("handed"))


@require_http_methods(["GET", "HEAD", "POST"])
@needs()
def in_hand(request: HttpRequest) -> HttpResponseBase:
    """The participant's page: the question, then thanks. No menu, no code, nothing of the study."""
    held = handed(request)
    if not held:
        raise Http404
    person = person_of(request)
    participant = get_object_or_404(Participant, public_id=held["participant"])
    role = acting_role(person, "session_record", "visit_record")
    asked = _Asked(participant, held["occasion"], Guesser.PARTICIPANT, role)
    if asked.answered():
        back = reverse("guesses", args=[participant.public_id])
        return render(request, "kerp/rating/handed_done.html", {"back": back})
    return _page(request, asked, template="kerp/rating/handed.html") or HttpResponseRedirect(reverse("handed"))


class _Asked:
    """One question to one person at one planned time."""

    def __init__(self, participant: Participant, key: str, by: Guesser, role: str) -> None:
        self.participant, self.key, self.by, self.role = participant, key, by, role
        self.log = log_of(participant)

    def planned(self) -> beliefs.Occasion:
        """The planned time; not there when it does not exist, is not this person's, or has not come."""
        found = beliefs.found(self.log, self.key)
        if found is None or self.by not in found.open_for or not self.participant.study.blinded:
            raise Http404
        return found

    def answered(self) -> bool:
        """Whether this person's guess for this time is recorded."""
        return beliefs.given(state_of(self.log), self.planned(), self.by) is not None

    def keep(self, form: GuessForm, person: Person) -> None:
        """Write it."""
        occasion = self.planned()
        event = form.event(self.by, occasion)
        entry_id = uuid.uuid5(form.cleaned_data["entry_id"], "0")
        submitted = record.Submitted(id=entry_id, event=event, session=occasion.session, role=self.role)
        beliefs.keep(log=self.log, occasion=occasion, event=event, actor=person, submitted=submitted)


def _page(
    request: HttpRequest, asked: _Asked, *, back: str = "", template: str = "kerp/rating/guess.html"
) -> HttpResponseBase | None:
    """The form; None once the guess is written."""
    form = GuessForm(sent(request))
    occasion = asked.planned()
    if request.method == "POST" and form.is_valid():
        try:
            asked.keep(form, person_of(request))
        except KerpError as error:
            add_faults(form, error)
        else:
            if back:
                messages.success(request, "Your guess is recorded. It cannot be seen again here.")
            return None
    context = {
        "participant": asked.participant,
        "occasion": occasion,
        "form": form,
        "back": back,
        "answered": asked.answered(),
    }
    return render(request, template, context)


def _blinded_or_404(person: Person, public_id: UUID) -> Participant:
    participant = participant_or_404(person, public_id)
    if not participant.study.blinded:
        raise Http404
    return participant


def _treats(person: Person, participant: Participant) -> bool:
    """Whether this person treats, or treated, this participant as a therapist."""
    return participant.assignments.filter(person=person, role="therapist").exists()
