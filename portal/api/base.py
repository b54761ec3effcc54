"""What the views of all resources stand on: declare an operation, read input, answer."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial, wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api import schema
from portal.api.idempotency import UNSTORED
from portal.api.idempotency import idempotent as answered_once
from portal.api.pagination import page
from portal.api.parsing import BODY_MAX, storable
from portal.api.preconditions import tag_of
from portal.api.scopes import DECLARED, needed
from portal.api.serializers.base import QuerySerializer
from portal.rates import INSIDE
from tenancy.errors import FieldError, InsufficientScope, Invalid
from tenancy.queries import tenants

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.db.models import QuerySet
    from django.http import HttpRequest
    from drf_spectacular.utils import PolymorphicProxySerializer
    from rest_framework.request import Request
    from rest_framework.serializers import Serializer

    from tenancy.policy import Actor
    from tenancy.token_enums import Scope

P = ParamSpec("P")
OPERATION_ID = "operation_id"
"""Attribute of a handler: what audit rows call it."""
RETRY_AFTER = "2"
"""Seconds until an asynchronous change deserves another look."""


class Resource(APIView):
    """A view of one kind of object."""

    tag = ""
    """The chapter of the OpenAPI document."""
    resource = ""
    """The resource in the scopes of tokens; where empty, the chapter."""
    http_method_names = ("get", "head", "post", "put", "delete")
    body: dict[str, Any]
    query: dict[str, Any]

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return self.request.auth  # type: ignore[return-value] # set by TokenAuthentication

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - DRF's signature
        """Authentication, a look at whether the token is for this, then at text that no database takes."""
        super().initial(request, *args, **kwargs)
        self._require_scope(request, kwargs)
        texts = [*kwargs.values(), *request.query_params, *request.query_params.values()]
        if not all(storable(str(text)) for text in texts):
            detail = "it holds characters that no name has, NUL or lone surrogates: remove them"
            fault = FieldError("address", "bad-characters", detail)
            raise Invalid(f"address: {detail}", errors=(fault,))

    def _require_scope(self, request: Request, named: dict[str, Any]) -> None:
        """Whatever the address: the answer tells nothing of what is there."""
        scope = needed(self, str(request.method))
        if scope is None or scope in self.actor.held:
            return
        tenant = str(named.get("tenant", ""))
        seen = storable(tenant) and tenants.visible_to(self.actor).filter(name=tenant).exists()
        raise InsufficientScope(scope=scope, tenant=tenant if seen else "")

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:  # noqa: ANN401
        """DRF takes a body without a length, as chunked ones are, for none; the parser counts by itself."""
        if "Transfer-Encoding" in request.headers:
            request.META["CONTENT_LENGTH"] = str(BODY_MAX)
        return super().initialize_request(request, *args, **kwargs)

    def answer(
        self,
        kind: type[Serializer[Any]],
        found: Any,  # noqa: ANN401 - a model or value that ``kind`` reads
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        secret: str = "",
        **context: Any,  # noqa: ANN401
    ) -> Response:
        """One object, whole; ``secret`` names the member of it that is shown once."""
        body = dict(kind(found, context=context).data)
        response = Response(body, status=status, headers={**(headers or {})})
        if "metadata" in body and "spec" in body:
            response["ETag"] = tag_of(body)
        setattr(response, UNSTORED, secret or None)
        return response

    def listed(self, kind: type[Serializer[Any]], rows: QuerySet[Any], /, **filters: Any) -> Response:  # noqa: ANN401
        """One page of ``rows``; ``filters`` are columns and the exact values asked for, None for any."""
        asked = {
            key.rstrip("_"): str(value) for key, value in self.query.items() if key not in {"limit", "cursor"}
        }
        exact = {column: value for column, value in filters.items() if value is not None}
        found, following = page(
            rows.filter(**exact),
            limit=self.query["limit"],
            cursor=self.query["cursor"],
            path=self.request.path.rstrip("/"),
            filters=asked,
        )
        items = kind(found, many=True, context=self.list_context(found)).data
        return Response({"items": items, "next": following})

    def list_context(self, found: list[Any]) -> dict[str, Any]:  # noqa: ARG002 - for subclasses
        """What the serializer needs beside the rows, read for the whole page at once."""
        return {}

    def look(self, **named: Any) -> None:  # noqa: ANN401 - parts of the address
        """Raises where the actor may not see (any more) what a POST is about: a replay would tell of it."""
        if "tenant" in named:
            tenants.get(self.actor, str(named["tenant"]))

    def settle(self, response: Response) -> Response:
        """What is left to do with the answer to a POST once its effect has landed."""
        return response

    def finalize_response(
        self,
        request: Request,
        response: Response,
        *args: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> Response:
        """No cache keeps what a token may see."""
        response.setdefault("Cache-Control", "no-store")
        self._tell_whose(response)
        # Django would log each 503 of a cluster that is not ready yet as an error; ours are logged where made.
        response._has_been_logged = True  # type: ignore[attr-defined] # noqa: SLF001
        return super().finalize_response(request, response, *args, **kwargs)

    def _tell_whose(self, response: Response) -> None:
        """Requests about a tenant count for it when they come from inside: see ``portal.rates``."""
        scope = getattr(self.request, "scope", None)
        # Without a database nobody knows who asks: to look at the actor would ask it once more.
        outside = {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE}
        inside = response.status_code not in outside
        if scope is not None and inside and "tenant" in self.kwargs and not self.actor.platform_role:
            scope[INSIDE] = True


@dataclass(frozen=True)
class Operation:
    """What one method of a resource takes and gives; the OpenAPI document is made from it."""

    name: str
    answers: Mapping[int, type[Serializer[Any]] | PolymorphicProxySerializer]
    body: type[Serializer[Any]] | None = None
    query: type[QuerySerializer] = QuerySerializer
    problems: tuple[int, ...] = ()
    """Statuses of problems beside those that follow from the rest."""
    conditional: bool = False
    """Understands ``If-Match`` and ``If-None-Match``."""
    idempotent: bool = False
    """Understands ``Idempotency-Key``."""
    listing: bool = False
    text: str = ""
    """Another media type in which it answers 200 on request."""
    open: bool = False
    """Needs no token."""
    scope: Scope | None = None
    """What a token needs for it; without, the resource with ``read`` for GET and ``write`` for the rest."""
    any_token: bool = False
    """Answers every token, whatever its scopes."""

    def __call__(
        self, handler: Callable[Concatenate[Any, Request, P], Response]
    ) -> Callable[Concatenate[Any, Request, P], Response]:
        """The handler with ``self.query`` and ``self.body`` read and checked before it."""

        @extend_schema(**schema.described(self, inspect.getdoc(handler) or ""))
        @wraps(handler)
        def run(view: Any, request: Request, *args: P.args, **kwargs: P.kwargs) -> Response:  # noqa: ANN401
            view.query = _read_query(self.query, request)
            view.body = _read(self.body, request.data) if self.body else {}
            if self.idempotent:
                view.look(**kwargs)
                effect = partial(handler, view, request, *args, **kwargs)
                answer: Response = view.settle(answered_once(request, view.actor, effect))
                return answer
            return _unraced(partial(handler, view, request, *args, **kwargs))

        setattr(run, OPERATION_ID, self.name)
        setattr(run, DECLARED, self)
        return run  # type: ignore[return-value] # the same signature, but for a name


operation = Operation


def agree(written: object, addressed: str, path: str) -> None:
    """Raises ``Invalid`` when the body names another object than the address; None names nothing."""
    if written not in {None, addressed}:
        detail = f"{written!r} contradicts the address, which says {addressed!r}: leave it out or correct it"
        raise Invalid(detail, errors=(FieldError(path, "contradicts-address", detail),))


def _unraced(effect: Callable[[], Response]) -> Response:
    """Who meets a row that came or went between two reads looks again, and finds it so."""
    try:
        return effect()
    except (IntegrityError, ObjectDoesNotExist):
        return effect()


def _read(kind: type[Serializer[Any]], data: Any) -> dict[str, Any]:  # noqa: ANN401
    reader = kind(data=data)
    reader.is_valid(raise_exception=True)
    found: dict[str, Any] = reader.validated_data
    return found


def _read_query(kind: type[QuerySerializer], request: Request) -> dict[str, Any]:
    for name, values in request.query_params.lists():
        if len(values) > 1:
            detail = "it is given twice: give it once"
            raise Invalid(
                f"query.{name}: {detail}", errors=(FieldError(f"query.{name}", "repeated", detail),)
            )
    try:
        return _read(kind, request.query_params.dict())
    except ValidationError as error:
        raise ValidationError({"query": error.detail}) from error
