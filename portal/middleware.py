"""What every request gets."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

_REQUEST_ID = re.compile(r"[\w.-]{1,64}")
_POLICY = (
    "default-src 'self'; "
    "img-src 'self' data:; "
    "object-src 'none'; "
    "base-uri 'none'; "
    "form-action 'self'; "
    "frame-ancestors 'none'"
)


class RequestIdMiddleware:
    """Gives each request an id, taken from the caller where it is well formed, and returns it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Sets ``X-Request-Id`` on the response."""
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        request.META["ATOLL_REQUEST_ID"] = request_id
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


class AnyHostMiddleware:
    """Lets ``/metrics`` be asked for by any name: scrapers go to a pod's or a Service's address.

    Nothing there is made of the name, and no browser has rights there: only bearer tokens are taken.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Hands on, under a name that is always allowed."""
        if request.path.rstrip("/") == "/metrics":
            request.META["HTTP_HOST"] = "localhost"
        return self.get_response(request)


class ContentSecurityPolicyMiddleware:
    """Only our own scripts and styles run in the portal."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Sets ``Content-Security-Policy`` on the response."""
        response = self.get_response(request)
        response.setdefault("Content-Security-Policy", _POLICY)
        return response
