"""Django's view of this room."""

from __future__ import annotations

from django.apps import AppConfig


class DisplayConfig(AppConfig):
    """Screens that joined, and the stimulus library."""

    name = "kerp.web.display"
    label = "kerp_display"
    verbose_name = "kerp: participant's screen"
