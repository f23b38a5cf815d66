"""The ASGI application. Imported by the server once settings are chosen."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kerp.web.settings")
application = get_asgi_application()
