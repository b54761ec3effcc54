"""Answers that are sent while they are read, a piece at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

NDJSON = "application/x-ndjson"


class Stream(StreamingHttpResponse):
    """Django would read all of a plain iterator into memory before an ASGI server sends any of it."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Each piece is read in the request's own thread, which has its database connection."""
        pieces = iter(self)

        def following() -> bytes | None:
            return next(pieces, None)

        while (piece := await sync_to_async(following)()) is not None:
            yield piece


def bundle(lines: Iterator[str], name: str) -> Stream:
    """Lines of JSON as a file to keep."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Stream(lines, content_type=NDJSON, headers=headers)
