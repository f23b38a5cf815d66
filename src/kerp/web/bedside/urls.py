"""Addresses of the bedside. Opaque ids only; `session` is a name like `dosing-1`."""

from __future__ import annotations

from django.urls import path

from kerp.web.bedside import aftercare, api, leaflet, pages, paper

_API = "api/sessions/<uuid:log_id>/<slug:session>/"

_PAGE = "bedside/<uuid:log_id>/<slug:session>/"

urlpatterns = [
    path("api/time", api.clock, name="api_time"),
    path("api/schema", api.description, name="api_schema"),
    path(_API + "entries", api.entries, name="api_entries"),
    path(_API + "requests", api.requests, name="api_requests"),
    path(_API + "status", api.status, name="api_status"),
    path(_API + "plan", api.plan, name="api_plan"),
    path(_API + "dose", api.dose, name="api_dose"),
    path(_API + "forecast", api.session_forecast, name="api_forecast"),
    path(_API + "stream", api.stream, name="api_stream"),
    path("bedside/", pages.sessions, name="sessions"),
    path("bedside/shell", pages.shell, name="bedside_shell"),
    path("bedside/worker.js", pages.worker, name="bedside_worker"),
    path("bedside/unlock", pages.unlock, name="bedside_unlock"),
    path("bedside/<uuid:log_id>/open/", pages.open_session, name="open_session"),
    path(_PAGE, pages.bedside, name="bedside"),
    path(_PAGE + "dose/", pages.dose, name="bedside_dose"),
    path(_PAGE + "paper/", paper.sheet, name="bedside_paper"),
    path(_PAGE + "paper/entry/", paper.late, name="bedside_paper_entry"),
    path(_PAGE + "form/", aftercare.form_desk, name="later_form_desk"),
    path("form/<str:token>/", aftercare.fill_in, name="later_form"),
    path(_PAGE + "leaflet/", leaflet.leaflet, name="leaflet"),
    path(_PAGE + "sign/", pages.sign, name="bedside_sign"),
]
