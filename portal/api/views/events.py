"""What happens in a tenant: as a list to page through, or as a stream that stays open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.http import StreamingHttpResponse
from rest_framework.authentication import get_authorization_header

from portal.api import live
from portal.api.base import Resource, operation
from portal.api.serializers.events import Event, EventFilters
from tenancy.errors import DomainError, Unavailable
from tenancy.queries import events, tenants, tokens

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

EVENT_STREAM: Final = "text/event-stream"


class TenantEvents(Resource):
    """What happened in a tenant."""

    tag = "events"

    @operation(
        "listEvents", {200: Event}, query=EventFilters, listing=True, text=EVENT_STREAM, problems=(410,)
    )
    def get(self, request: Request, tenant: str) -> Response:
        """Lists what happened in a tenant, oldest first; events are kept for a week.

        With `Accept: text/event-stream` the answer stays open and tells what happens from now on;
        with `after`, or the header `Last-Event-ID`, also everything since then, each event once.
        """
        found = tenants.get(self.actor, tenant)
        stream = request.method == "GET" and EVENT_STREAM in request.headers.get("Accept", "")
        after = self.query.get("after") or (request.headers.get("Last-Event-ID") if stream else None)
        position = events.position(found, after) if after else None
        if stream:
            return self._stream(request, tenant, position)
        rows = events.visible_to(self.actor, found)
        rows = rows.filter(sequence__gt=position) if position is not None else rows
        return self.listed(Event, rows, type=self.query.get("type"))

    def _stream(self, request: Request, tenant: str, position: int | None) -> Response:
        if live.full():
            raise Unavailable("this portal holds as many streams as it can: try again, or read the list")
        raw = get_authorization_header(request).decode("latin-1").partition(" ")[2].strip()
        only = self.query.get("type")

        def permitted() -> events.Stream | None:
            known = tokens.authenticate(raw)
            try:
                return events.stream(known[1], tenant, only) if known else None
            except DomainError:
                return None

        heard = events.stream(self.actor, tenant, only)
        start = events.end(tenant) if position is None else position
        pieces = live.listen(live.Listener((tokens.digest(raw), tenant), heard, permitted, start))
        headers = {"Vary": "Accept", "X-Accel-Buffering": "no"}
        return StreamingHttpResponse(pieces, content_type=EVENT_STREAM, headers=headers)  # type: ignore[return-value] # a stream
