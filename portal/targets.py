"""Addresses as a request line may give them (RFC 9112, 3.2), brought to the one form that Django knows."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from portal.refusals import refuse

if TYPE_CHECKING:
    from portal.limits import Application, Receive
    from portal.refusals import Send


class Targets:
    """An ASGI application that takes ``GET http://host/path HTTP/1.1`` for what it is: ``/path`` at ``host``.

    It stands before all others: what is counted, and who may ask, goes by the path.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Hands on, or refuses what is no address here."""
        if scope["type"] != "http" or scope["path"].startswith("/"):
            await self.application(scope, receive, send)
            return
        found = _origin_form(scope)
        if found is None:
            detail = "the request line names no address of this server: send a path that begins with /"
            await refuse(send, HTTPStatus.BAD_REQUEST, "invalid", detail)
            return
        await self.application(found, receive, send)


def _origin_form(scope: dict[str, Any]) -> dict[str, Any] | None:
    """The request with a path alone; the host in its address counts, whatever the header says."""
    try:
        target = urlsplit(scope["raw_path"].decode("ascii"))
        known = target.scheme in {"http", "https"} and bool(target.hostname) and target.port != 0
    except ValueError:
        return None
    if not known or "@" in target.netloc:
        return None
    path = target.path or "/"
    others = (header for header in scope["headers"] if header[0] != b"host")
    headers = [(b"host", target.netloc.encode()), *others]
    return {**scope, "path": unquote(path), "raw_path": path.encode(), "headers": headers}
