"""How often somebody may ask: quotas, what is left of one, and counts of this process alone."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS_MAX: Final = 50_000


@dataclass(frozen=True)
class Quota:
    """So many requests a minute; a fifth of them may come at once."""

    name: str
    a_minute: int

    @property
    def burst(self) -> int:
        """Requests that may come in one moment."""
        return max(1, self.a_minute // 5)

    @property
    def interval(self) -> float:
        """Seconds in which one more is earned."""
        return 60 / self.a_minute

    @property
    def longest(self) -> float:
        """Seconds in which all are earned, and what rounding makes."""
        return (self.burst + 0.001) * self.interval

    @property
    def policy(self) -> str:
        """As an item of the header ``RateLimit-Policy``."""
        return f'"{self.name}";q={self.burst};w={math.ceil(self.burst * self.interval)}'

    def verdict(self, ahead: float) -> Verdict:
        """On a request after which all of the quota is earned again in ``ahead`` seconds."""
        if ahead > self.longest:
            return Verdict(self, -1, ahead - self.burst * self.interval)
        return Verdict(self, round(self.burst - ahead / self.interval), ahead)


@dataclass(frozen=True)
class Verdict:
    """What is left of a quota after one request, or why it is refused."""

    quota: Quota
    left: int
    """Requests that may still come at once; -1 says that this one is refused."""
    wait: float
    """Seconds until the next may come, for one who is refused; else until all may."""

    @property
    def refused(self) -> bool:
        """Whether it must not pass."""
        return self.left < 0

    @property
    def item(self) -> str:
        """As an item of the header ``RateLimit``."""
        return f'"{self.quota.name}";r={max(0, self.left)};t={math.ceil(self.wait)}'


class Way(StrEnum):
    """What a request does to a quota."""

    LOOK = "look"
    """Costs nothing: would one pass?"""
    TAKE = "take"
    """Costs one where it passes; a refused one costs nothing."""
    CHARGE = "charge"
    """Costs one in any case: it has happened."""


class Counts(Protocol):
    """Keeps the quota of each key as one moment in time: when all of it will have been earned again."""

    async def ask(self, quota: Quota, key: str, way: Way = Way.TAKE) -> Verdict:
        """One request of ``key``. Never raises: who cannot count lets pass, and logs it."""

    async def remember(self, fact: str, seconds: int) -> None:
        """Holds ``fact`` for true for so long; 0 forgets it. Never raises."""

    async def remembers(self, fact: str) -> bool:
        """Whether it holds; False where nobody can tell. Never raises."""


class LocalCounts:
    """In the memory of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    async def ask(self, quota: Quota, key: str, way: Way = Way.TAKE) -> Verdict:
        """As ``Counts`` says."""
        place = f"{quota.name}:{key}"
        with self._lock:
            now = self._clock()
            full_at = max(self._until.get(place, now), now) + quota.interval
            verdict = quota.verdict(full_at - now)
            if way == Way.CHARGE or (way == Way.TAKE and not verdict.refused):
                self._keep(place, full_at, now)
        return verdict

    async def remember(self, fact: str, seconds: int) -> None:
        """As ``Counts`` says."""
        with self._lock:
            now = self._clock()
            self._keep(fact, now + seconds, now)

    async def remembers(self, fact: str) -> bool:
        """As ``Counts`` says."""
        return self._until.get(fact, 0) > self._clock()

    def _keep(self, place: str, until: float, now: float) -> None:
        if len(self._until) >= KEYS_MAX:
            self._until = {key: at for key, at in self._until.items() if at > now}
        if len(self._until) >= KEYS_MAX:
            self._until.pop(next(iter(self._until)))
        self._until[place] = until
