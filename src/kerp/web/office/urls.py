"""Addresses of the study office."""

from __future__ import annotations

from django.urls import path

from kerp.web.office import audit, participants, people, planning, rating, screening, study, visits

urlpatterns = [
    path("people/", people.people, name="people"),
    path("people/<uuid:public_id>/", people.person, name="person"),
    path("people/<uuid:public_id>/grant/", people.grant, name="person_grant"),
    path("people/<uuid:public_id>/grant/<int:grant_id>/end/", people.end_grant, name="person_end_grant"),
    path("people/<uuid:public_id>/invite/", people.invite, name="person_invite"),
    path("people/<uuid:public_id>/close/", people.close, name="person_close"),
    path("study/", study.study, name="study"),
    path("study/site/", study.add_site, name="add_site"),
    path("study/new/", study.add_study, name="add_study"),
    path("study/<slug:code>/version/", study.add_version, name="add_version"),
    path("study/<slug:code>/version/<int:number>/", study.version, name="version"),
    path("study/<slug:code>/version/<int:number>/sign/", study.sign, name="sign_version"),
    path("today/", visits.today, name="today"),
    path("participants/", participants.participants, name="participants"),
    path("participants/register/", participants.register, name="register"),
    path("participants/<uuid:public_id>/", participants.participant, name="participant"),
    path("participants/<uuid:public_id>/assign/", participants.assign, name="assign"),
    path(
        "participants/<uuid:public_id>/assign/<int:assignment>/end/",
        participants.end_assignment,
        name="end_assignment",
    ),
    path("participants/<uuid:public_id>/screening/", screening.screening, name="screening"),
    path("participants/<uuid:public_id>/consent/", screening.consent, name="consent"),
    path("participants/<uuid:public_id>/plan/", planning.planning, name="planning"),
    path("participants/<uuid:public_id>/plan/<slug:part>/", planning.change, name="change_plan"),
    path("participants/<uuid:public_id>/visits/<slug:visit_id>/", visits.visit, name="visit"),
    path("participants/<uuid:public_id>/visits/<slug:visit_id>/<slug:instrument>/", visits.answer, name="answer"),
    path("participants/<uuid:public_id>/metacognitive/", visits.metacognitive, name="metacognitive"),
    path("participants/<uuid:public_id>/adverse/", visits.adverse, name="adverse"),
    path("participants/<uuid:public_id>/entries/", audit.entries, name="entries"),
    path("ratings/", rating.rating, name="rating"),
    path("ratings/<uuid:public_id>/guess/", rating.guess, name="rater_guess"),
    path("ratings/<uuid:public_id>/<slug:visit_id>/<slug:instrument>/", rating.rate, name="rate"),
    path("audit/", audit.audit, name="audit"),
]
