"""Figures of the platform for Prometheus."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.http import HttpResponse

from portal import metrics
from portal.api.authentication import TokenAuthentication
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
"""What the holder of the setting's token is called; no user has to be made for it."""


class ScraperAuthentication(TokenAuthentication):
    """The token that the operators of this Atoll set, else an API token of a person."""

    def actor_for(self, raw: str) -> Actor | None:
        """The first is bound to nobody: what watches Atoll does not stop when a person leaves."""
        expected = settings.ATOLL_METRICS_TOKEN
        if expected and secrets.compare_digest(raw.encode(), expected.encode()):
            scraper = User(username=SCRAPER, platform_role=PlatformRole.AUDITOR)
            return Actor(scraper, scopes=(Scope.METRICS_READ,))
        return super().actor_for(raw)


class Metrics(Resource):
    """All of them."""

    tag = "health"
    resource = "metrics"
    authentication_classes = (ScraperAuthentication,)

    @operation("getMetrics", {}, text="text/plain")
    def get(self, _: Request) -> Response:
        """Tells how the platform is doing, in Prometheus' text format (admins, auditors, `ATOLL_METRICS_TOKEN`)."""
        policy.check(self.actor, Permission.METRICS_VIEW)
        return HttpResponse(metrics.text(), content_type=metrics.CONTENT_TYPE)  # type: ignore[return-value] # DRF passes any answer on
