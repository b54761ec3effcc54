"""Problems (RFC 9457) that are told before a request reaches Django."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    Header = tuple[bytes, bytes]
    Message = Mapping[str, Any]
    Send = Callable[[Message], Awaitable[None]]

CLOSE: Final = (b"connection", b"close")
"""For answers to requests that were not read to their end: what follows on the connection is the rest of them."""


async def refuse(send: Send, status: int, code: str, detail: str, headers: Iterable[Header] = ()) -> None:
    """The whole answer."""
    body = problem(status, code, detail)
    told = [*_headers(body), *headers]
    await send({"type": "http.response.start", "status": int(status), "headers": told})
    await send({"type": "http.response.body", "body": body})


def written(status: int, code: str, detail: str) -> bytes:
    """The whole answer as it goes over the wire; the connection is closed after it."""
    body = problem(status, code, detail)
    lines = [b": ".join(header) for header in (*_headers(body), CLOSE)]
    start = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()
    return b"\r\n".join([start, *lines, b"", body])


def problem(status: int, code: str, detail: str) -> bytes:
    """The body of a problem; one about the request itself names that, as each 400 names a field."""
    found: dict[str, Any] = {
        "type": f"urn:atoll:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
    }
    if status == HTTPStatus.BAD_REQUEST:
        found["errors"] = [{"path": "request", "code": "unreadable", "detail": detail}]
    return json.dumps(found).encode()


def _headers(body: bytes) -> tuple[Header, ...]:
    return (
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    )
