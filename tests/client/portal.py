"""The real portal without a socket, and the faults that networks have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from django.test import Client

if TYPE_CHECKING:
    from collections.abc import Callable


class Portal(httpx.BaseTransport):
    """Requests of httpx become requests of Django; ``faults`` happen first, one a request.

    A fault is an exception before the request arrives, ``Cut`` for one after it had its
    effect, or an answer of something that stands before the portal.
    """

    def __init__(self) -> None:
        self.faults: list[BaseException | httpx.Response | Cut | None] = []
        self.seen: list[httpx.Request] = []
        self.after: list[Callable[[], object]] = []
        """Called one a request, once it was answered: what happens meanwhile."""
        self._client = Client(raise_request_exception=True)

    @property
    def told(self) -> list[str]:
        """Method and path of every request but those for the document."""
        lines = [f"{r.method} {r.url.raw_path.decode()}" for r in self.seen]
        return [line for line in lines if "openapi.json" not in line]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        fault = self.faults.pop(0) if self.faults and "openapi.json" not in request.url.path else None
        if isinstance(fault, BaseException):
            raise fault
        if isinstance(fault, httpx.Response):
            return fault
        response = self._answer(request)
        if self.after and "openapi.json" not in request.url.path:
            self.after.pop(0)()
        if fault is not None:
            raise httpx.ReadError("connection reset by peer")
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        request.read()
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        kind = headers.pop("content-type", "")
        path = request.url.raw_path.decode()
        found = self._client.generic(
            request.method, path, request.content, content_type=kind, headers=headers
        )
        content = b"".join(found) if found.streaming else found.content
        return httpx.Response(found.status_code, headers=dict(found.headers), content=content)


class Cut:
    """The connection breaks after the request had its effect."""
