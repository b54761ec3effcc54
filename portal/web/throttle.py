"""Slows down whoever guesses passwords: ten failures in five minutes per user name and address."""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache

from portal.shared_counts import DOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.cache.backends.base import BaseCache

T = TypeVar("T")
log = logging.getLogger(__name__)

ATTEMPTS: Final = 10
WINDOW: Final = 300
"""Seconds from the first failure until the count starts anew."""
_here: Final = LocMemCache("sign-in", {"OPTIONS": {"MAX_ENTRIES": 50_000}})
"""Counts of this process, while the shared ones cannot be had."""


class Whole:
    """Whole numbers as a Redis keeps them. Django's own way would run what somebody else put there (pickle)."""

    def dumps(self, value: int) -> int:
        """For ``INCR``."""
        return value

    def loads(self, text: bytes) -> int:
        """Raises ``ValueError`` for anything else."""
        return int(text)


def blocked(username: str, address: str) -> bool:
    """Whether this pair must wait."""
    key = _key(username, address)
    return _ask(lambda counts: int(counts.get(key, 0))) >= ATTEMPTS


def note_failure(username: str, address: str) -> None:
    """Counts one failure."""
    key = _key(username, address)

    def count(counts: BaseCache) -> None:
        with suppress(ValueError):  # the window has just ended
            if not counts.add(key, 1, WINDOW):
                counts.incr(key)

    _ask(count)


def forget(username: str, address: str) -> None:
    """Starts anew after a sign-in that went well."""
    key = _key(username, address)
    _ask(lambda counts: counts.delete(key))


def _ask(do: Callable[[BaseCache], T]) -> T:
    try:
        return do(cache)
    except DOWN as error:
        log.warning("the rate store does not answer, so this process counts sign-ins for itself: %s", error)
        return do(_here)


def _key(username: str, address: str) -> str:
    return hashlib.sha256(f"{username.casefold()}\n{address}".encode()).hexdigest()
