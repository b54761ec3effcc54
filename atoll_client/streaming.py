"""Events as they happen: server-sent events that go on where a connection broke, none lost and none twice."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

from atoll_client.errors import Unavailable
from atoll_client.sending import FIRST_PAUSE, LONGEST_PAUSE, answered, unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from atoll_client.sending import Object

KIND: Final = "text/event-stream"
SILENCE_SECONDS: Final = 45.0
"""Atoll sends a sign of life each 15 seconds: after three of them missed the connection is taken for dead."""


@dataclass(frozen=True)
class Event:
    """One thing that happened."""

    id: str
    """Where to go on: give it as ``after``."""
    type: str
    body: Object


@dataclass(frozen=True)
class Place:
    """Where the stream is: told at its beginning, so that a connection that breaks before anything happened loses nothing."""

    id: str


def follow(
    http: httpx.Client, request: Callable[[str], httpx.Request], *, after: str, patience: float
) -> Iterator[Event]:
    """Events without end; ``request`` makes one that begins after an id.

    Raises ``Problem`` where listening is refused, and ``Unreachable`` after
    ``patience`` seconds without a connection.
    """
    until, pause = time.monotonic() + patience, FIRST_PAUSE
    while True:
        asked, opened, rest = request(after), False, pause
        try:
            for told in _connection(http, asked):
                opened = True
                after = told.id or after
                if isinstance(told, Event):
                    yield told
        except Unavailable as later:
            rest = max(pause, later.retry_after or 0)
            if time.monotonic() + rest > until:
                raise
        except httpx.RequestError as broken:
            if not opened and time.monotonic() + rest > until:
                raise unreachable(asked, broken) from broken
        pause = FIRST_PAUSE if opened else min(pause * 2, LONGEST_PAUSE)
        until = time.monotonic() + patience if opened else until
        time.sleep(rest)


def parsed(lines: Iterable[str]) -> Iterator[Event | Place]:
    """The events and places in the lines of a stream; comments and what holds no JSON object are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name == "data" and "data" in fields else value
            continue
        if "data" in fields and (body := _object(fields["data"])) is not None:
            yield Event(fields.get("id", ""), fields.get("event", "message"), body)
        elif "data" not in fields and fields.get("id"):
            yield Place(fields["id"])
        fields = {}


def _connection(http: httpx.Client, request: httpx.Request) -> Iterator[Event | Place]:
    """A place without a name once it is open, then events and places."""
    response = http.send(request, stream=True)
    try:
        if not response.is_success:
            response.read()
            answered(response)
        yield Place("")
        yield from parsed(response.iter_lines())
    finally:
        response.close()


def _object(text: str) -> Object | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
