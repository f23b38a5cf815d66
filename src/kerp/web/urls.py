"""Addresses. Opaque ids only: no study code, no name, no arm in any address (ASVS 14.2.1)."""

from __future__ import annotations

from django.urls import include, path

from kerp.web import demonstration, pages

handler400 = "kerp.web.pages.bad_request"
handler403 = "kerp.web.pages.forbidden"
handler404 = "kerp.web.pages.not_found"
handler500 = "kerp.web.pages.failed"

urlpatterns = [
    path("", include("kerp.web.bedside.urls")),  # asked most often
    path("", pages.home, name="home"),
    path("health", pages.health, name="health"),
    path("account/", include("kerp.web.accounts.urls")),
    path("", include("kerp.web.office.urls")),
    path("", include("kerp.web.display.urls")),
    path("api/demonstration/participants", demonstration.participant, name="demonstration_participant"),
]
