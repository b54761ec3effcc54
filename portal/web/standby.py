"""Pages on a database that only reads, or does not answer: told in words, wherever it comes up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.contrib.sessions.middleware import SessionMiddleware
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpResponse
from django.template.loader import render_to_string

from portal.web.pages import refused
from tenancy.actions.unit import is_read_only
from tenancy.errors import ReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

log = logging.getLogger(__name__)


class StandbyMiddleware:
    """For writes of views; those of the API tell it themselves."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Hands on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The page, in place of a fault."""
        if isinstance(error, DatabaseError) and is_read_only(error):
            return refused(request, ReadOnly())
        if isinstance(error, OperationalError | InterfaceError):
            log.error("the database did not answer", exc_info=error)
            # Without the request: who it is from would be asked of the database.
            return HttpResponse(render_to_string("503.html"), status=503, headers={"Retry-After": "5"})
        return None


class StandbySessionMiddleware(SessionMiddleware):
    """Django's, which keeps a session once its page is made; where it cannot, that page is not answered.

    Sessions that are open go on: looking changes nothing in them.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """As Django's."""
        try:
            return super().process_response(request, response)
        except DatabaseError as error:
            if not is_read_only(error):
                raise
            log.info("a session was not kept: %s", error)
            return refused(request, ReadOnly())
