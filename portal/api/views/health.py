"""For machines that watch the portal, and the API's own description."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING

from django.http import HttpResponse
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer

from portal.api import schema
from portal.api.base import Resource, operation
from portal.api.serializers.health import Alive, Description, Health
from tenancy.errors import NotFound
from tenancy.queries import services

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class OpenResource(Resource):
    """Answers everybody."""

    tag = "health"
    authentication_classes = ()
    permission_classes = (AllowAny,)


class Livez(OpenResource):
    """The process."""

    @operation("getLivez", {200: Alive}, open=True)
    def get(self, _: Request) -> Response:
        """The portal answers; nothing else is looked at."""
        return self.answer(Alive, {"status": "ok"})


class Readyz(OpenResource):
    """The service."""

    @operation("getReadyz", {200: Health}, open=True)
    def get(self, _: Request) -> Response:
        """200 when the database answers, for then wishes are kept; the rest is told beside."""
        return self.answer(Health, {"status": "ok", **asdict(services.health())})


class OpenApi(OpenResource):
    """The document itself."""

    @operation("getOpenApi", {200: Description}, open=True, problems=(429,))
    def get(self, _: Request) -> Response:
        """Describes the API (OpenAPI 3.1)."""
        return HttpResponse(_document(), content_type="application/json")  # type: ignore[return-value] # rendered before


@cache
def _document() -> bytes:
    """Rendered once: it takes 20 ms of a core, and everybody may ask for it."""
    return JSONRenderer().render(schema.document())


class Nowhere(OpenResource):
    """Every address under /api that is none."""

    schema = None

    def initial(self, *_: object, **__: object) -> None:
        """Whatever the method: there is nothing here."""
        raise NotFound("there is no such address in the API: see /api/v1/openapi.json")
