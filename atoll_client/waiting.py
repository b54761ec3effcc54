"""Waiting for an object: long polls that go on after a connection broke, and stop when it is in vain."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx

from atoll_client.errors import AtollError, NotFound, TimedOut, Unavailable, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from atoll_client.sending import Answer, Object

LONG_POLL: Final = 30
"""Seconds that one question may stay open."""
SHORT_POLL: Final = 2
"""The same where somebody watches."""
PAUSE: Final = 1.0
"""Seconds between two questions that are answered at once."""


class Asks(Protocol):
    """Who can be sent with a request: ``Atoll``."""

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
        longer: float = 0.0,
    ) -> Answer: ...


@dataclass(frozen=True)
class Look:
    """How far it is, as somebody who waits may be told."""

    phase: str
    """Empty where it could not be asked."""
    detail: str
    operation: dict[str, Any] = field(default_factory=dict)
    """The operation at work with its steps; empty where none is."""

    @property
    def steps(self) -> list[Object]:
        """Of the operation, each with name, state and message."""
        return list(self.operation.get("steps") or ())


def ready(atoll: Asks, path: str, *, timeout: float, seen: Callable[[Look], None] | None) -> Object:
    """The object at ``path`` once it is ready at its last change."""
    until, last = time.monotonic() + timeout, ""
    glance = seen is not None  # who watches sees the first steps at once, then waits
    while True:
        began = time.monotonic()
        wait = 0 if glance else int(min(SHORT_POLL if seen else LONG_POLL, max(1, until - began)))
        try:
            answer = atoll.request(
                "GET", f"{path}/ready", query={"wait": f"{wait}s"}, patience=0, longer=wait
            )
        except Unavailable as not_yet:
            last, pause = not_yet.detail, 0.0 if glance else not_yet.retry_after or PAUSE
            look = Look(not_yet.phase or "", last)
        except Unreachable as lost:
            last, pause = str(lost), PAUSE
            look = Look("", last)
        else:
            return answer.object
        if seen:
            seen(_with_steps(atoll, path, look))
        glance = False
        rest = max(0.0, pause - (time.monotonic() - began))
        if time.monotonic() + rest >= until:
            raise TimedOut(f"not ready after {timeout:.0f} s: {last}")
        time.sleep(rest)


def running(atoll: Asks, path: str, *, timeout: float, seen: Callable[[Look], None] | None) -> Object:
    """The object once it is ready at its last change and, of a cluster, all add-ons were seen to run."""
    until = time.monotonic() + timeout
    while True:
        found = ready(atoll, path, timeout=max(0.0, until - time.monotonic()), seen=seen)
        why = _not_running(found)
        if not why:
            return found
        if seen:
            seen(Look(found["status"]["phase"], why))
        if time.monotonic() + PAUSE >= until:
            raise TimedOut(f"add-ons do not run after {timeout:.0f} s: {why}")
        time.sleep(PAUSE)


def gone(atoll: Asks, path: str, *, timeout: float, seen: Callable[[Look], None] | None) -> None:
    """Returns when ``path`` is no longer what it is now."""
    until, uid, look = time.monotonic() + timeout, None, Look("", "")
    while True:
        try:
            found = atoll.request("GET", path, patience=0).object
            now, status = found.get("metadata", {}).get("uid"), found.get("status") or {}
            uid = uid or now
            if now != uid:
                return
            look = Look(str(status.get("phase", "")), str(status.get("message", "")))
        except NotFound:
            return
        except (Unavailable, Unreachable) as error:
            look = Look("", str(error))
        if seen:
            seen(_with_steps(atoll, path, look))
        if time.monotonic() + PAUSE >= until:
            raise TimedOut(f"not gone after {timeout:.0f} s: {look.phase} {look.detail}".rstrip())
        time.sleep(PAUSE)


def collected(atoll: Asks, late: Answer, patience: float = 55.0) -> Answer:
    """What a 202 promised, once it is there; the 202 itself where it never came."""
    until, at = time.monotonic() + patience, late.headers.get("Location", "")
    while at and late.status == httpx.codes.ACCEPTED and time.monotonic() < until:
        time.sleep(late.retry_after or PAUSE)
        late = atoll.request("GET", at)
    return late


def _with_steps(atoll: Asks, path: str, look: Look) -> Look:
    """The same with the steps; these are worth a try, no more."""
    if not look.phase:
        return look
    try:
        status = atoll.request("GET", path, patience=0).object.get("status") or {}
        at = status.get("operation")
        operation = atoll.request("GET", at, patience=0).object if at else {}
    except AtollError:
        return look
    return Look(look.phase, look.detail, operation)


def _not_running(found: Object) -> str:
    """What keeps its add-ons from running; empty where nothing does."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    told = next((c for c in conditions if c["type"] == "AddOnsReady"), None)
    if told is None:  # no cluster, or of an older Atoll, which does not tell
        return ""
    current = told["observedGeneration"] >= found["metadata"]["generation"]
    return "" if told["status"] == "True" and current else str(told["message"] or told["reason"])
