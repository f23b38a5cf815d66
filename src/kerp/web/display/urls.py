"""Addresses of the participant's screen."""

from __future__ import annotations

from django.urls import path

from kerp.web.display import pages

_API = "api/sessions/<uuid:log_id>/<slug:session>/"

urlpatterns = [
    path("display/", pages.join, name="display_join"),
    path("display/show", pages.show, name="display_show"),
    path("api/display/stream", pages.stream, name="display_stream"),
    path("api/display/told", pages.told, name="display_told"),
    path("api/display/media/<uuid:stimulus_id>", pages.media, name="display_media"),
    path(_API + "display", pages.invite, name="display_invite"),
    path(_API + "stimuli", pages.stimuli, name="api_stimuli"),
    path("stimuli/<uuid:log_id>/", pages.shelf, name="stimuli"),
]
