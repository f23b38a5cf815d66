"""The ASGI application. Imported by the server once settings are chosen."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kerp.web.settings")
django.setup(set_prefix=False)

from kerp.web.workers import PooledHandler  # noqa: E402  after the applications

application = PooledHandler()
