"""Counts that all processes of the portal share, in a Redis: the one place of the portal that knows it.

It holds counts and nothing else. While it is away each process counts for itself, and says so.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from portal.quotas import LocalCounts, Way

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from portal.quotas import Quota, Verdict

T = TypeVar("T")
log = logging.getLogger(__name__)

DOWN: Final = (RedisError, OSError)
"""What is raised where it does not answer."""
PATIENCE: Final = 0.2
"""Seconds that a request waits for it at most."""
PAUSE: Final = 5.0
"""Seconds for which nobody asks it again once it did not answer."""
CONNECTIONS: Final = 32
PREFIX: Final = "atoll:rate:"
# The generic cell rate algorithm in one step, on the clock of the Redis, in microseconds. What it keeps
# goes when all is earned again.
_SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, longest, way = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + interval
local ahead = full_at - now
if way == 'charge' or (way == 'take' and ahead <= longest) then
  redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil(ahead / 1000))
end
return math.ceil(ahead)
"""


class SharedCounts:
    """``Counts`` in the Redis at ``url``, waited for ``patience`` seconds at most; for one event loop."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=patience,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis: Redis = Redis.from_pool(pool)
        self._script = self._redis.register_script(_SCRIPT)
        self._here = LocalCounts()
        self._silent_until = 0.0

    async def ask(self, quota: Quota, key: str, way: Way = Way.TAKE) -> Verdict:
        """As ``Counts`` says."""
        micro = [round(quota.interval * 1e6), round(quota.longest * 1e6), way.value]
        place = f"{PREFIX}{quota.name}:{key}"
        ahead: Any = await self._try(lambda: self._script(keys=[place], args=micro))
        return await self._here.ask(quota, key, way) if ahead is None else quota.verdict(int(ahead) / 1e6)

    async def remember(self, fact: str, seconds: int) -> None:
        """As ``Counts`` says."""
        if seconds:
            await self._try(lambda: self._redis.set(PREFIX + fact, 1, ex=seconds))
        else:
            await self._try(lambda: self._redis.delete(PREFIX + fact))

    async def remembers(self, fact: str) -> bool:
        """As ``Counts`` says."""
        return bool(await self._try(lambda: self._redis.exists(PREFIX + fact)))

    async def close(self) -> None:
        """Ends its connections."""
        await self._redis.aclose()

    async def _try(self, command: Callable[[], Awaitable[T]]) -> T | None:
        """What it answers; ``None`` where it does not."""
        if time.monotonic() < self._silent_until:
            return None
        try:
            return await command()
        except DOWN as error:
            self._silent_until = time.monotonic() + PAUSE
            log.warning("the rate store does not answer, so this process counts for itself: %s", error)
            return None
