"""The OpenAPI document, made from what the views declare."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from portal.api.scopes import needed
from portal.api.serializers.base import CamelSerializer
from portal.api.serializers.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portal.api.base import Operation, Resource

HEADER: Final = "header"
_PROBLEM: Final = "application/problem+json"
_WORDS: Final = {
    400: "The request cannot be accepted; `errors` names each field.",
    401: "No token, or one that is unknown, expired or revoked.",
    403: "It can be seen, but not done with this role or token.",
    404: "It does not exist, or not for this token: the two look alike.",
    409: "The object is in a state in which this cannot be done.",
    410: "It was there, and is kept no longer: start anew.",
    412: "A precondition does not hold: read again, then decide.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests of this token, about this tenant, or from this address without a good token: go on after `Retry-After` seconds.",
    422: "The Idempotency-Key was used for another request.",
    503: "Not now: try again after `Retry-After` seconds.",
}


def described(operation: Operation, text: str) -> dict[str, Any]:
    """The arguments of ``extend_schema`` for an operation whose docstring is ``text``."""
    answers: dict[Any, Any] = {
        code: _page_of(kind) if operation.listing else OpenApiResponse(kind, description=_words(code))
        for code, kind in operation.answers.items()
    }
    if operation.text:
        answers[(200, operation.text)] = OpenApiTypes.STR
    return {
        "operation_id": operation.name,
        "summary": text.partition("\n")[0].rstrip("."),
        "description": text,
        "parameters": [*([operation.query] if operation.query().fields else []), *_headers(operation)],
        "request": operation.body,
        "responses": answers | problems(_problems(operation)),
        "auth": [{}] if operation.open else None,
    }


def problems(codes: Iterable[int]) -> dict[Any, Any]:
    """The answers that are problems, for ``extend_schema``."""
    return {(code, _PROBLEM): OpenApiResponse(Problem, _WORDS[code]) for code in sorted(codes)}


@lru_cache
def document() -> dict[str, Any]:
    """The document of this release."""
    return SchemaGenerator(api_version="v1").get_schema(request=None, public=True)  # type: ignore[no-any-return, no-untyped-call]


def without_twins(endpoints: list[Any], **_: Any) -> list[Any]:  # noqa: ANN401 - drf-spectacular's hook
    """Every address is also routed with a slash at its end; the document names it once."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


def without_orphans(result: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: ANN401 - drf-spectacular's hook
    """Drops the request side of what is only ever sent by us."""
    schemas = result["components"]["schemas"]
    used = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(result)))
    for name in set(schemas) - used:
        del schemas[name]
    return result


def with_null_as_anything(result: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: ANN401 - drf-spectacular's hook
    """A value of any kind that may be null would be "one of anything and null", which null is not, being both."""

    def plain(found: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in found.items() if k != "oneOf" or v != [{}, {"type": "null"}]}

    made: dict[str, Any] = json.loads(json.dumps(result), object_hook=plain)
    return made


class TaggedSchema(AutoSchema):
    """Chapters and scopes come from the views, 404 from the address."""

    def get_auth(self) -> list[dict[str, list[str]]]:
        """A token with the scope that the operation needs (OpenAPI 3.1 lists such names for any scheme)."""
        scope = needed(cast("Resource", self.view), self.method)
        kinds: list[dict[str, list[str]]] = super().get_auth()
        return [{kind: [scope.value] if scope else [] for kind in each} for each in kinds]

    def get_tags(self) -> list[str]:
        """The view's chapter."""
        return [getattr(self.view, "tag", "")]


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the document tells of tokens."""

    target_class = "portal.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        """A bearer token."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "atoll_…"}


class ClosedRequests(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """What is sent is read to the last key, so the document says that there are no others."""

    target_class = "portal.api.serializers.base.CamelSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        """As usual, and closed on the way in; on the way out keys may be added."""
        found: dict[str, Any] = auto_schema._map_serializer(  # type: ignore[no-untyped-call] # noqa: SLF001 - its extensions do so
            self.target, direction, bypass_extensions=True
        )
        return {**found, "additionalProperties": False} if direction == "request" else found


def _words(code: int) -> str:
    return {201: "Created.", 202: "Accepted; it goes on in the background."}.get(code, "As asked.")


@lru_cache
def _page_of(kind: type[serializers.Serializer[Any]]) -> type[serializers.Serializer[Any]]:
    fields = {
        "__doc__": "One page, and the way to the next.",
        "items": kind(many=True),
        "next": serializers.CharField(
            allow_null=True, help_text="Address of the next page; null at the end."
        ),
    }
    return type(f"{kind.__name__}List", (CamelSerializer,), fields)


def _problems(operation: Operation) -> list[int]:
    found = {400, 503, *operation.problems}
    if not operation.open:
        found |= {401, 403, 404, 429}
    if operation.body:
        found |= {413, 415}
    if operation.conditional:
        found.add(412)
    if operation.idempotent:
        found |= {409, 422}
    return sorted(found - set(operation.answers))


def _headers(operation: Operation) -> Iterator[OpenApiParameter]:
    if operation.conditional:
        yield OpenApiParameter(
            "If-Match", str, HEADER, description="Only if its ETag is this one; `*` for any."
        )
        text = "`*`: only if it does not exist yet."
        yield OpenApiParameter("If-None-Match", str, HEADER, description=text, enum=["*"])
    if operation.idempotent:
        text = "Sent again with the same body, the first answer comes again; kept for 48 hours."
        yield OpenApiParameter("Idempotency-Key", _KEY, HEADER, description=text)
    later = [code for code in (429, 503) if code in {*_problems(operation), *operation.answers}]
    text = "Seconds after which it may go on."
    yield OpenApiParameter("Retry-After", int, HEADER, description=text, response=later)
    yield from _response_headers(operation)


_KEY: Final = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}


def _response_headers(operation: Operation) -> Iterator[OpenApiParameter]:
    created = sorted(code for code in operation.answers if code in {201, 202})
    if created:
        text = "Where to look next."
        yield OpenApiParameter("Location", OpenApiTypes.URI_REF, HEADER, description=text, response=created)
        text = "Seconds until a look is worth it."
        yield OpenApiParameter("Retry-After", int, HEADER, description=text, response=created)
    if operation.conditional:
        codes = sorted(operation.answers)
        yield OpenApiParameter("ETag", str, HEADER, description="Of the spec alone.", response=codes)
