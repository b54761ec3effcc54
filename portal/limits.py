"""What the portal takes from the network, before Django keeps any of it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from portal.refusals import CLOSE, refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from portal.refusals import Message, Send

    Receive = Callable[[], Awaitable[Message]]
    Application = Callable[[dict[str, Any], Receive, Send], Coroutine[Any, Any, None]]

BODY_MAX: Final = 1024 * 1024
"""Bytes; Django would write a longer body to disk, however long, before any view can refuse it."""
DRAINED_MAX: Final = 16 * 1024 * 1024
"""Bytes read and dropped so that a caller who is still sending gets to read the refusal."""
BODY_SECONDS: Final = 30.0
"""For all of a body: the longest that is taken needs 35 KiB a second. The server waits without end."""


class BodyLimit:
    """An ASGI application that ends a request with 413 once its body exceeds the limit, with 408 once it is late."""

    def __init__(self, application: Application, seconds: float = BODY_SECONDS) -> None:
        self.application = application
        self.seconds = seconds

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Hands on, and counts."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        guard = _Guard(receive, send, self.seconds)
        if guard.announced(scope) > BODY_MAX:
            await guard.refuse_length()
            return
        await self.application(scope, guard.receive, guard.send)


class _Guard:
    """Counts one request's body; after a refusal the application sees its caller gone."""

    def __init__(self, receive: Receive, send: Send, seconds: float) -> None:
        self._receive, self._send = receive, send
        self._seconds, self._until = seconds, asyncio.get_running_loop().time() + seconds
        self._taken = 0
        self._more = True
        self._refused = False

    @staticmethod
    def announced(scope: dict[str, Any]) -> int:
        """The length that the headers tell; 0 when they do not."""
        told = dict(scope["headers"]).get(b"content-length", b"0")
        return int(told) if told.isdigit() else 0

    async def receive(self) -> Message:
        """The next piece of the body; after the last one, the end of the connection, however far that is."""
        if not self._more:
            return await self._receive()
        try:
            message = await self._take()
        except TimeoutError:
            await self._refuse_late()
            return {"type": "http.disconnect"}
        if self._taken > BODY_MAX:
            await self.refuse_length()
            return {"type": "http.disconnect"}
        return message

    async def _take(self) -> Message:
        async with asyncio.timeout_at(self._until):
            message = await self._receive()
        self._taken += len(message.get("body", b""))
        self._more = message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """The application's answer, unless there was one already."""
        if not self._refused:
            await self._send(message)

    async def refuse_length(self) -> None:
        """Answers 413 and closes, once what is still sent was read."""
        try:
            while self._more and self._taken < DRAINED_MAX:
                await self._take()
        except TimeoutError:
            pass  # it is too long all the same
        detail = f"the body is larger than {BODY_MAX // 1024} KiB: send less"
        await self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)

    async def _refuse_late(self) -> None:
        detail = f"the body was not complete after {self._seconds:.0f} s: send as much as Content-Length says"
        await self._refuse(HTTPStatus.REQUEST_TIMEOUT, "request-timeout", detail)

    async def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        if not self._refused:
            self._refused = True
            await refuse(self._send, status, code, detail, [CLOSE])
