"""Figures of the platform for Prometheus."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.http import HttpResponse

from portal import metrics
from portal.api.authentication import BEARER, credentials, tell_good
from portal.api.base import Resource, operation
from tenancy import policy
from tenancy.enums import Permission, PlatformRole
from tenancy.models import User
from tenancy.policy import Actor
from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

SCRAPER: Final = "metrics"
"""What the holder of the operators' token is called; there is no such user."""


class Metrics(Resource):
    """All of them."""

    tag = "health"
    resource = "metrics"

    def perform_authentication(self, request: Request) -> None:
        """The operators' own token, else an API token: the first ends with nobody's leave."""
        if not _is_scraper(request):
            super().perform_authentication(request)
            return
        scraper = User(username=SCRAPER, platform_role=PlatformRole.AUDITOR)
        request.user, request.auth = scraper, Actor(scraper, scopes=(Scope.METRICS_READ,))
        tell_good(request)

    @operation("getMetrics", {}, text="text/plain")
    def get(self, _: Request) -> Response:
        """Tells how the platform is doing, in Prometheus' text format (admins, auditors, `ATOLL_METRICS_TOKEN`)."""
        policy.check(self.actor, Permission.METRICS_VIEW)
        return HttpResponse(metrics.text(), content_type=metrics.CONTENT_TYPE)  # type: ignore[return-value] # DRF passes any answer on


def _is_scraper(request: Request) -> bool:
    expected: str = settings.ATOLL_METRICS_TOKEN
    scheme, raw = credentials(request)
    return bool(expected) and scheme == BEARER and secrets.compare_digest(raw.encode(), expected.encode())
