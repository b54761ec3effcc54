"""The portal for an ASGI server: ``uvicorn portal.asgi:application``."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from portal.limits import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = BodyLimit(get_asgi_application())
