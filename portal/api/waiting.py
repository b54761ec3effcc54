"""Long polls: an answer that comes when there is something to tell, at the price of one small read."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import sync_to_async
from django.db import connections
from django.views.decorators.csrf import csrf_exempt

from tenancy.queries import readiness

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from django.db.models import Model
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

LOOK_EVERY: Final = 0.5
"""Seconds between two looks of one who waits."""
WAITERS_MAX: Final = 64
"""In one process; one more is answered at once and told when to come back."""
WAIT: Final = "atoll.wait"
"""Where in ``request.META`` a view leaves its ``Wait``."""
NOT_YET: Final = 503
UNDER_WAY: Final = 202
GONE: Final = 200


@dataclass(frozen=True)
class Wait:
    """What a caller waits for, left in the request by the view."""

    kind: type[Model]
    uid: UUID
    phase: str
    """As the caller was last told."""
    seconds: float

    @property
    def key(self) -> tuple[type[Model], UUID]:
        """Those who wait for the same have the same."""
        return self.kind, self.uid


class Watch:
    """The objects that are waited for in this process, read together at most four times a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Counter[tuple[type[Model], UUID]] = Counter()
        self._seen: dict[tuple[type[Model], UUID], str] = {}
        self._read_at = 0.0

    def enter(self, wait: Wait) -> bool:
        """Counts one who waits; False when there are too many."""
        with self._lock:
            if self._waiting.total() >= WAITERS_MAX:
                return False
            self._waiting[wait.key] += 1
            return True

    def leave(self, wait: Wait) -> None:
        """One waits no longer."""
        with self._lock:
            self._waiting[wait.key] -= 1
            self._waiting += Counter()  # drops those at zero

    def phase(self, wait: Wait) -> str | None:
        """As of a quarter of a second ago at most; None when the object is gone."""
        with self._lock:
            if time.monotonic() - self._read_at > LOOK_EVERY / 2:
                self._seen, self._read_at = self._read(), time.monotonic()
                let_go()
            return self._seen.get(wait.key)

    def _read(self) -> dict[tuple[type[Model], UUID], str]:
        """One read for each kind, however many wait."""
        wanted = defaultdict(list)
        for kind, uid in self._waiting:
            wanted[kind].append(uid)
        return {
            (kind, uid): phase
            for kind, uids in wanted.items()
            for uid, phase in readiness.phases(kind, uids).items()
        }


_watch = Watch()


def patient(
    once: Callable[..., HttpResponseBase], look: Callable[..., Awaitable[HttpResponseBase]]
) -> Callable[..., Any]:
    """A view that answers what ``look`` makes of ``once``."""

    @wraps(once)
    async def view(request: HttpRequest, **names: str) -> HttpResponseBase:
        return await look(once, request, names)

    return csrf_exempt(view)


async def look_until_gone(
    once: Callable[..., HttpResponseBase], request: HttpRequest, names: dict[str, str]
) -> HttpResponseBase:
    """A deletion is asked for once; 200 in place of 202 tells that nothing is left."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    response = await sync_to_async(_look)(once, request, names)
    wait: Wait | None = request.META.get(WAIT)
    if wait is None or not wait.seconds or response.status_code != UNDER_WAY or not _watch.enter(wait):
        return response
    try:
        if await _news(request, began + wait.seconds):
            response.status_code = GONE
            del response["Retry-After"], response["Location"]
    finally:
        _watch.leave(wait)
    return response


async def look_until_told(
    once: Callable[..., HttpResponseBase], request: HttpRequest, names: dict[str, str]
) -> HttpResponseBase:
    loop = asyncio.get_running_loop()
    until = loop.time()
    response = await sync_to_async(_look)(once, request, names)
    wait: Wait | None = request.META.get(WAIT)
    if wait is None or not wait.seconds or response.status_code != NOT_YET or not _watch.enter(wait):
        return response
    until += wait.seconds
    try:
        news = True
        while response.status_code == NOT_YET and news:
            news = await _news(request, until)
            response = await sync_to_async(_look)(once, request, names)
    finally:
        _watch.leave(wait)
    return response


async def _news(request: HttpRequest, until: float) -> bool:
    """Sleeps until the phase is another than the caller knows; False when the time is over."""
    loop = asyncio.get_running_loop()
    known: Wait = request.META[WAIT]
    while loop.time() + LOOK_EVERY <= until:
        await asyncio.sleep(LOOK_EVERY)
        if await sync_to_async(_watch.phase)(known) != known.phase:
            return True
    return False


def _look(
    once: Callable[..., HttpResponseBase], request: HttpRequest, names: dict[str, str]
) -> HttpResponseBase:
    """The whole view: whether the token still may, and what there is to tell."""
    response = once(request, **names)
    let_go()
    return response


def let_go() -> None:
    """Who waits holds no connection to the database meanwhile."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
