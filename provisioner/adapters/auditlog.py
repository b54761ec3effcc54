"""A host's audit log in files: read backwards, within bounds of bytes and time, trusting nothing it holds.

Lines hold names that anybody may choose; only whole JSON objects of the right shape
count, and what is taken from them is shortened and printable.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from provisioner.ports import Act

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioner.ports import Target

BYTES: Final = 64 * 1024**2
"""Read of one log and its older parts for one question."""
SECONDS: Final = 4.0
"""For one question."""
LINE: Final = 1024**2
"""Bytes of a line; a longer one is left out."""
_BLOCK: Final = 256 * 1024
_PARTS: Final = 20
_NAME: Final = 300
_WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_SUCCESSES: Final = range(200, 300)
_DRY_RUN: Final = re.compile(r"[?&]dryRun=")


class FileAuditLog:
    """``ports.AuditLog`` of a file as ``--audit-log-path`` names it, with rotated parts beside it."""

    def __init__(self, path: Path, *, most: int = BYTES, seconds: float = SECONDS) -> None:
        self._path = path
        self._most = most
        self._seconds = seconds

    def last_write(self, target: Target, *, since: datetime, but: str) -> Act | None:
        sign = f'"resource":{json.dumps(target.resource)}'.encode()
        for line in self._backwards():
            if sign not in line:
                continue
            event = _event(line)
            if event is None or not _is_of(event, target):
                continue
            act = _act(event)
            if act is None:
                continue
            if act.at < since:
                return None
            if act.user != but:
                return act
        return None

    def _backwards(self) -> Iterator[bytes]:
        """Whole lines, youngest first, until the bounds are reached."""
        left, end = self._most, time.monotonic() + self._seconds
        for path in self._parts():
            for size, lines in _blocks(path):
                left -= size
                yield from lines
                if left <= 0 or time.monotonic() > end:
                    return

    def _parts(self) -> list[Path]:
        """The log and its older parts, as the API server rotates them: ``audit-2026-….log``."""
        stem, suffix = self._path.stem, self._path.suffix
        try:
            older = sorted(self._path.parent.glob(f"{_literal(stem)}-*{_literal(suffix)}"), reverse=True)
        except OSError:
            older = []
        return [self._path, *older[:_PARTS]]


def _literal(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)


def _blocks(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Bytes read, and the lines that are whole by now, youngest first; nothing for what is no plain file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        yield from _whole_lines(descriptor)
    finally:
        os.close(descriptor)


def _whole_lines(descriptor: int) -> Iterator[tuple[int, list[bytes]]]:
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        return
    at, rest = about.st_size, b""
    while at > 0:
        size = min(_BLOCK, at)
        at -= size
        try:
            block = os.pread(descriptor, size, at)
        except OSError:
            return
        first, *lines = (block + rest).split(b"\n")
        # A line without end is not kept in memory for ever; its beginning will not parse.
        rest = first if len(first) <= LINE else b""
        yield size, [line for line in reversed(lines) if line and len(line) <= LINE]
    if rest:
        yield 0, [rest]


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_of(event: dict[str, Any], target: Target) -> bool:
    """Whether it is a finished, successful, real write on that very object, or on all of its kind there."""
    what, status = _part(event, "objectRef"), _part(event, "responseStatus")
    verb, name = event.get("verb"), what.get("name")
    return (
        isinstance(verb, str)
        and verb in _WRITES
        and event.get("stage") == "ResponseComplete"
        and status.get("code") in _SUCCESSES
        and (what.get("apiGroup") or "", what.get("resource")) == (target.group, target.resource)
        and (what.get("namespace") or "") in _places(target)
        and (name == target.name or (verb == "deletecollection" and not name))
        and not what.get("subresource")
        and not _DRY_RUN.search(str(event.get("requestURI", "")))
    )


def _places(target: Target) -> tuple[str, ...]:
    """A namespace is said to be in itself, but not when it is created."""
    return (target.namespace, "") if target.resource == "namespaces" else (target.namespace,)


def _act(event: dict[str, Any]) -> Act | None:
    try:
        at = datetime.fromisoformat(str(event.get("requestReceivedTimestamp") or event["stageTimestamp"]))
    except (KeyError, ValueError):
        return None
    user = _user(event)
    if not user:
        return None
    addresses = event.get("sourceIPs")
    listed = addresses if isinstance(addresses, list) else []
    return Act(
        user=user,
        verb=str(event["verb"]),
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        addresses=tuple(_plain(a) for a in listed[:5]),
    )


def _user(event: dict[str, Any]) -> str:
    """Who acted; for one who acted as another, both."""
    user = _plain(_part(event, "user").get("username", ""))
    borrowed = _plain(_part(event, "impersonatedUser").get("username", ""))
    return f"{borrowed} (as whom {user} acted)"[:_NAME] if borrowed else user


def _part(event: dict[str, Any], key: str) -> dict[str, Any]:
    found = event.get(key)
    return found if isinstance(found, dict) else {}


def _plain(text: object) -> str:
    """Nothing that moves a cursor, hides or turns what is read; nothing at all of what is no text."""
    said = text if isinstance(text, str) else ""
    return "".join(c if c.isprintable() else "�" for c in said[: _NAME // 2 - 20])
