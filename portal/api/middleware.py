"""Errors of the API that never reach its views, told in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.http import JsonResponse

from portal.api.errors import CONTENT_TYPE, document
from tenancy.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

_OURS: Final = ("/api/", "/livez", "/readyz", "/metrics")
_DETAILS: Final = {
    400: "the request cannot be read: check the host name, the address and the headers",
    404: "there is no such address in the API: see /api/v1/openapi.json",
}


class ProblemMiddleware:
    """Puts problem+json in place of the pages Django makes for unknown routes, hosts and faults."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The response, or a problem in place of an error page under the API's addresses."""
        response = self.get_response(request)
        ours = request.path.startswith(_OURS)
        if not ours or response.status_code < 400 or response.get("Content-Type") == CONTENT_TYPE:  # noqa: PLR2004
            return response
        status = response.status_code
        extra = {"requestId": request.META["ATOLL_REQUEST_ID"]} if status >= 500 else {}  # noqa: PLR2004
        detail = _DETAILS.get(status, "the request failed: look at its status")
        errors = [FieldError("request", "unreadable", detail)] if status == 400 else ()  # noqa: PLR2004
        body = document(status, detail, errors=errors, **extra)
        return JsonResponse(body, status=status, content_type=CONTENT_TYPE)
