"""What the portal takes from the network, before Django keeps any of it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    Message = Mapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[dict[str, Any], Receive, Send], Coroutine[Any, Any, None]]

BODY_MAX: Final = 1024 * 1024
"""Bytes; Django would write a longer body to disk, however long, before any view can refuse it."""
DRAINED_MAX: Final = 16 * 1024 * 1024
"""Bytes read and dropped so that a caller who is still sending gets to read the refusal."""
_REFUSAL: Final = json.dumps(
    {
        "type": "urn:atoll:problem:too-large",
        "title": HTTPStatus.REQUEST_ENTITY_TOO_LARGE.phrase,
        "status": 413,
        "detail": f"the body is larger than {BODY_MAX // 1024} KiB: send less",
        "code": "too-large",
    }
).encode()


class BodyLimit:
    """An ASGI application that ends a request with 413 once its body exceeds the limit."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Hands on, and counts."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        guard = _Guard(receive, send)
        if guard.announced(scope) > BODY_MAX:
            await guard.refuse()
            return
        await self.application(scope, guard.receive, guard.send)


class _Guard:
    """Counts one request's body; after a refusal the application sees its caller gone."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._taken = 0
        self._refused = False

    @staticmethod
    def announced(scope: dict[str, Any]) -> int:
        """The length that the headers tell; 0 when they do not."""
        told = dict(scope["headers"]).get(b"content-length", b"0")
        return int(told) if told.isdigit() else 0

    async def receive(self) -> Message:
        """The next piece of the body."""
        message = await self._take()
        if self._taken > BODY_MAX:
            await self.refuse(more=message.get("more_body", False))
            return {"type": "http.disconnect"}
        return message

    async def _take(self) -> Message:
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """The application's answer, unless there was one already."""
        if not self._refused:
            await self._send(message)

    async def refuse(self, *, more: bool = True) -> None:
        """Answers 413 and closes, for what follows on the connection is the rest of the body."""
        if self._refused:
            return
        self._refused = True
        while more and self._taken < DRAINED_MAX:
            more = (await self._take()).get("more_body", False)
        headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
        await self._send({"type": "http.response.start", "status": 413, "headers": headers})
        await self._send({"type": "http.response.body", "body": _REFUSAL})
