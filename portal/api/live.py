"""Streams of events: however many listen in this process, the database is read once for all of them.

A stream knows the number of the last event it sent and nothing else. As numbers have no gaps and
follow the order of commits, what comes after a number is all that was missed, and nothing twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import connections

from portal.api.waiting import let_go
from tenancy.queries import events
from tenancy.rules import events as rules

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

    from tenancy.models import Event

T = TypeVar("T")
log = logging.getLogger(__name__)

LOOK_EVERY: Final = 0.5
"""Seconds between two looks at the database, however many listen."""
CHECK_EVERY: Final = 1.0
"""Seconds between two looks at whether what the listeners' rights rest on is as it was, for all of them at once."""
SURE_EVERY: Final = 60.0
"""Seconds after which each right is looked at anew in any case, as if it were asked for."""
HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment is sent, so that no proxy takes the stream for dead."""
STREAMS_MAX: Final = 1000
"""In one process."""
KEPT: Final = 500
"""Events of a tenant that are kept in memory for those who listen."""
AT_ONCE: Final = 500
"""Events read at a time."""


@dataclass(frozen=True)
class Frame:
    """An event as it goes over the wire, made once for all who listen."""

    tenant: str
    sequence: int
    type: str
    text: bytes


@dataclass(eq=False)
class Listener:
    """One stream."""

    who: tuple[str, str]
    """The token's digest, and the tenant."""
    heard: events.Stream
    permitted: Callable[[], events.Stream | None]
    """Looks anew at what may be heard; ``None`` when it is over."""
    position: int
    """Number of the last event that was sent, or passed over."""
    grounds: object = "not looked at yet"
    """What the right to listen rested on when it was looked at last."""
    checked: float = 0.0
    """When that was."""
    over: bool = False


class Hub:
    """All streams of one event loop."""

    def __init__(self) -> None:
        # A thread of our own: it keeps one connection, and waits for no request.
        self._reader = ThreadPoolExecutor(1, "events")
        self._listeners: set[Listener] = set()
        self._ends: dict[str, int] = {}
        self._recent: defaultdict[str, deque[Frame]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._checked = 0.0

    def __len__(self) -> int:
        return len(self._listeners)

    async def listen(self, listener: Listener) -> AsyncGenerator[bytes]:
        """Frames and heartbeats, until the listener may not hear any longer."""
        self._listeners.add(listener)
        self._task = self._task or asyncio.create_task(self._look())
        try:
            yield f": events of {listener.heard.tenant}\nretry: 2000\n{_place(listener)}\n".encode()
            quiet_since = time.monotonic()
            while not listener.over:
                news = self._news
                pieces = await self._following(listener)
                if pieces or time.monotonic() - quiet_since >= HEARTBEAT:
                    quiet_since = time.monotonic()
                    yield b"".join(pieces) or f":\n{_place(listener)}\n".encode()
                elif not self._behind(listener):
                    await _told(news, HEARTBEAT - (time.monotonic() - quiet_since))
            yield b": this token may listen no longer\n\n"
        finally:
            self._leave(listener)

    def _leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        tenant = listener.heard.tenant
        if tenant not in self._tenants():
            self._ends.pop(tenant, None)
            self._recent.pop(tenant, None)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None
            self._reader.submit(connections.close_all)

    def _tenants(self) -> set[str]:
        return {listener.heard.tenant for listener in self._listeners}

    def _behind(self, listener: Listener) -> bool:
        return listener.position < self._ends.get(listener.heard.tenant, 0)

    async def _following(self, listener: Listener) -> list[bytes]:
        """What comes after the listener's position and is for them; the position moves over what is not."""
        if not self._behind(listener):
            return []
        tenant, position, end = listener.heard.tenant, listener.position, self._ends[listener.heard.tenant]
        recent = self._recent[tenant]
        if recent and recent[0].sequence <= position + 1 <= recent[-1].sequence:
            frames = [frame for frame in recent if frame.sequence > position]
        else:
            frames = await self._read(lambda: _frames({tenant: position}))
        listener.position = frames[-1].sequence if frames else end
        return [frame.text for frame in frames if frame.type in listener.heard.types]

    async def _look(self) -> None:
        """For as long as anybody listens."""
        while True:
            try:
                await self._read_on()
                await self._check()
            except Exception:
                log.exception("streams of events wait: the database is asked again")
                self._reader.submit(connections.close_all)
            await asyncio.sleep(LOOK_EVERY)

    async def _read_on(self) -> None:
        tenants = list(self._tenants())
        ends = await self._read(lambda: events.ends(tenants))
        behind = {name: known for name, end in ends.items() if (known := self._ends.get(name, end)) < end}
        if behind:
            for frame in await self._read(lambda: _frames(behind)):
                self._keep(frame)
                ends[frame.tenant] = max(ends[frame.tenant], frame.sequence)
        if ends != self._ends:
            self._ends = ends
            self._wake()

    def _keep(self, frame: Frame) -> None:
        recent = self._recent[frame.tenant]
        if recent and frame.sequence != recent[-1].sequence + 1:
            recent.clear()  # what lies behind a hole would be taken for all there is
        recent.append(frame)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _check(self) -> None:
        """One look for all of them; those for whom something changed as if they asked anew."""
        now = time.monotonic()
        if now - self._checked < CHECK_EVERY:
            return
        self._checked, listeners = now, list(self._listeners)
        grounds = await self._read(lambda: events.grounds({one.who for one in listeners}))
        due = [one for one in listeners if one.grounds != grounds[one.who] or now - one.checked >= SURE_EVERY]
        for one in due:
            heard = await self._read(one.permitted)
            # Spread, so that those who came together are not looked at together for ever.
            one.grounds, one.checked = grounds[one.who], now - random.uniform(0, SURE_EVERY / 2)  # noqa: S311
            one.over, one.heard = heard is None, heard or one.heard
            if one.over:
                self._wake()

    async def _read(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, job)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def full() -> bool:
    """Whether one more stream would be too many for this process."""
    return sum(len(hub) for hub in _hubs.values()) >= STREAMS_MAX


async def listen(listener: Listener) -> AsyncIterator[bytes]:
    """The body of an answer that stays open."""
    await sync_to_async(let_go)()
    hub = _hubs.setdefault(asyncio.get_running_loop(), Hub())
    async with aclosing(hub.listen(listener)) as pieces:
        async for piece in pieces:
            yield piece


async def _told(news: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(news.wait(), seconds)


def _place(listener: Listener) -> str:
    """Where the stream is, also when nothing was told: whoever comes back after it misses nothing meanwhile."""
    return f"id: {rules.identity(listener.heard.tenant, listener.position)}\n"


def _frames(positions: Mapping[str, int]) -> list[Frame]:
    return [_frame(event) for event in events.following(positions, AT_ONCE)]


def _frame(event: Event) -> Frame:
    body = events.payload(event)
    text = f"id: {body['id']}\nevent: {event.type}\ndata: {rules.text(body)}\n\n"
    return Frame(event.tenant, event.sequence, event.type, text.encode())
