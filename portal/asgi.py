"""The portal for an ASGI server: ``uvicorn portal.asgi:application``."""

from __future__ import annotations

import gc
import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import get_resolver

from portal.limits import BodyLimit
from portal.rates import RateLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = RateLimit(
    BodyLimit(get_asgi_application()), a_token=settings.ATOLL_RATE_TOKEN, a_tenant=settings.ATOLL_RATE_TENANT
)

# All code is loaded now, and stays: a full collection would look through it in the middle of somebody's
# request, a tenth of a second each time.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
