"""The portal for an ASGI server: ``uvicorn portal.asgi:application``."""

from __future__ import annotations

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from portal.limits import BodyLimit
from portal.rates import RateLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = RateLimit(
    BodyLimit(get_asgi_application()), a_token=settings.ATOLL_RATE_TOKEN, a_tenant=settings.ATOLL_RATE_TENANT
)
