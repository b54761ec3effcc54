"""The one place where a domain error becomes HTTP: problem+json after RFC 9457, always."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from portal import denials
from tenancy import errors as domain
from tenancy.actions.unit import is_read_only

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rest_framework.request import Request
    from rest_framework.views import APIView

    from tenancy.policy import Actor

log = logging.getLogger(__name__)

CONTENT_TYPE: Final = "application/problem+json"
STATUS: Final[Mapping[str, int]] = {
    domain.NotFound.code: 404,
    domain.NotAllowed.code: 403,
    domain.InsufficientScope.code: 403,
    domain.StepUpRequired.code: 403,
    domain.TokenRefused.code: 400,
    domain.ExchangeRefused.code: 400,
    domain.Invalid.code: 400,
    domain.Conflict.code: 409,
    domain.BeingDeleted.code: 409,
    domain.Protected.code: 409,
    domain.InQuarantine.code: 409,
    domain.Asleep.code: 409,
    domain.AlreadyExists.code: 409,
    domain.InvalidTransition.code: 409,
    domain.DoesNotFit.code: 409,
    domain.InUse.code: 409,
    domain.Immutable.code: 409,
    domain.PreconditionFailed.code: 412,
    domain.Lapsed.code: 410,
    domain.KeyReused.code: 422,
    domain.StillRunning.code: 409,
    domain.Unavailable.code: 503,
    domain.ReadOnly.code: 503,
}
"""``DomainError.code`` → HTTP status; a test holds it complete."""

_RETRY_AFTER: Final[Mapping[str, str]] = {
    domain.StillRunning.code: "1",
    domain.Unavailable.code: "5",
    domain.ReadOnly.code: "30",
}
_CODES: Final[Mapping[int, str]] = {
    400: "invalid",
    401: "not-authenticated",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
    429: "too-many-requests",
    503: "unavailable",
}


BODY: Final = "body"
"""The path of a fault that is in no field of its own."""
_HINTS: Final[Mapping[type[exceptions.APIException], str]] = {
    exceptions.NotAuthenticated: "there is no token: send one as 'Authorization: Bearer atoll_…'",
    exceptions.MethodNotAllowed: "this address does not take that: it knows {}",
    exceptions.UnsupportedMediaType: "send JSON, not compressed, with 'Content-Type: application/json'",
}
_FIXES: Final[Mapping[str, str]] = {
    "null": "null is no value here: leave it out, or give one",
    "blank": "empty is no value here: leave it out, or give one",
}
"""Code of a fault → what to do, where DRF only says what is wrong."""


def problem(
    status: int,
    detail: str,
    *,
    code: str = "",
    errors: Sequence[domain.FieldError] = (),
    headers: Mapping[str, str] | None = None,
    **more: Any,  # noqa: ANN401 - extension members
) -> Response:
    """An answer that tells what is wrong and what to do; ``more`` are extension members."""
    return Response(
        document(status, detail, code=code, errors=errors, **more),
        status=status,
        headers=dict(headers or {}),
        content_type=CONTENT_TYPE,
    )


def document(
    status: int,
    detail: str,
    *,
    code: str = "",
    errors: Sequence[domain.FieldError] = (),
    **more: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """The body of a problem."""
    code = code or _CODES.get(status, "internal" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "error")
    body: dict[str, Any] = {
        "type": f"urn:atoll:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }
    if errors:
        body["errors"] = [{"path": e.path, "code": e.code, "detail": e.detail} for e in errors]
    return body


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: no exception leaves a view of the API as anything but a problem."""
    set_rollback()
    match error:
        case domain.DomainError():
            if isinstance(error, domain.NotAllowed):
                _write_down(error, context["view"], context["request"])
            return _domain(error)
        case Http404():
            return problem(404, "there is nothing at this address")
        case SuspiciousOperation():
            return _domain(
                _invalid("query", "too-many", "the address asks for more than any list knows: shorten it")
            )
        case exceptions.APIException():
            return _framework(error, context["view"])
        case DatabaseError() | InterfaceError():
            return _database(error, context["request"])
        case _:
            return _unexpected(error, context["request"])


def _database(error: DatabaseError | InterfaceError, request: Request) -> Response:
    if is_read_only(error):
        return _domain(domain.ReadOnly())
    match error:
        case OperationalError() | InterfaceError():
            log.error("the database did not answer", exc_info=error)
            return _domain(domain.Unavailable("the database is busy or away: try again"))
        case IntegrityError():
            log.warning("two writers at once", exc_info=error)
            return _domain(domain.Conflict("somebody else was first: read again, then decide"))
        case _:
            return _unexpected(error, request)


def _write_down(error: domain.NotAllowed, view: APIView, request: Request) -> None:
    actor, method = cast("Actor", request.auth).name, str(request.method)
    attempted = getattr(getattr(view, method.lower(), None), "operation_id", view.get_view_name())
    denials.note(error, actor=actor, method=method, attempted=attempted, path=request.path.rstrip("/"))


def _domain(error: domain.DomainError) -> Response:
    seconds = _RETRY_AFTER.get(error.code)
    headers = {"Retry-After": seconds} if seconds else {}
    more: dict[str, Any] = {}
    if isinstance(error, domain.InsufficientScope):  # told as RFC 6750 has it, too
        headers["WWW-Authenticate"] = (
            f'Bearer realm="atoll", error="insufficient_scope", scope="{error.scope}"'
        )
        more["scope"] = error.scope
    if isinstance(error, domain.TokenRefused | domain.ExchangeRefused):  # and as RFC 6749 has it
        more["error"] = "invalid_request"
    if isinstance(error, domain.InUse):
        more["usedBy"] = error.users
    status = STATUS[error.code]
    return problem(status, error.detail, code=error.code, errors=error.errors, headers=headers, **more)


def _invalid(path: str, code: str, detail: str) -> domain.Invalid:
    return domain.Invalid(f"{path}: {detail}", errors=(domain.FieldError(path, code, detail),))


def _framework(error: exceptions.APIException, view: APIView) -> Response:
    """What DRF refuses, in words that say what to do."""
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(int(error.wait) + 1)  # type: ignore[attr-defined]
    if isinstance(error, exceptions.ValidationError):
        faults = tuple(flatten(error.get_full_details()))
        detail = "; ".join(f"{f.path}: {f.detail}" for f in faults)
        return problem(400, detail, errors=faults, headers=headers)
    if isinstance(error, exceptions.ParseError):
        return _domain(_invalid(BODY, "unreadable", str(error.detail)))
    detail = _HINTS.get(type(error), str(error.detail))
    return problem(error.status_code, detail.format(", ".join(view.allowed_methods)), headers=headers)


def flatten(details: Any, path: str = "") -> Iterator[domain.FieldError]:  # noqa: ANN401 - nested at will
    """DRF's nested faults as a flat list with paths such as ``spec.resources.cpu``."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        code = details["code"].replace("_", "-")
        yield domain.FieldError(path or BODY, code, _FIXES.get(code, str(details["message"])))
    elif isinstance(details, dict):
        for key, inner in details.items():
            nested = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}".lstrip(".")
            here = path if key == "non_field_errors" else nested
            yield from flatten(inner, here)
    else:
        for index, inner in enumerate(details):
            several = isinstance(inner, dict) and set(inner) != {"message", "code"}
            yield from flatten(inner, f"{path}[{index}]" if several else path)


def _unexpected(error: Exception, request: Request) -> Response:
    request_id = request.META.get("ATOLL_REQUEST_ID", "")
    log.error("request %s failed", request_id, exc_info=error)
    detail = "this is a fault of Atoll: tell its operators the request id"
    return problem(500, detail, code="internal", requestId=request_id)
