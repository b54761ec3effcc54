"""The portal for an ASGI server: ``uvicorn portal.asgi:application --http portal.server:Protocol``."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import get_resolver
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from portal import env
from portal.limits import BodyLimit
from portal.quotas import LocalCounts
from portal.rates import RateLimit
from portal.shared_counts import SharedCounts
from portal.targets import Targets

if TYPE_CHECKING:
    from portal.limits import Application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
env.pool(settings.DATABASES["default"], settings.ATOLL_DATABASE_POOL)
limited = RateLimit(
    BodyLimit(get_asgi_application()),
    SharedCounts(settings.ATOLL_RATE_STORE) if settings.ATOLL_RATE_STORE else LocalCounts(),
    a_token=settings.ATOLL_RATE_TOKEN,
    a_tenant=settings.ATOLL_RATE_TENANT,
    an_address=settings.ATOLL_RATE_ADDRESS,
)
# The server's own reading of these headers is off (--no-proxy-headers): it would believe all of loopback.
behind_proxies = ProxyHeadersMiddleware(cast("Any", limited), settings.ATOLL_TRUSTED_PROXIES)
application: Application = Targets(cast("Application", behind_proxies))

# All code is loaded now, and stays: a full collection would look through it in the middle of somebody's
# request, a tenth of a second each time. A page of 100 clusters makes some 50,000 objects, none of which
# needs a collection to go: with the threshold of 700, looking for those that do took a fifth of its time.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 10, 10)
