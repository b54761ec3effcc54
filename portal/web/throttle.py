"""Slows down whoever guesses passwords: ten failures in five minutes per user name and address."""

from __future__ import annotations

import hashlib
from typing import Final

from django.core.cache.backends.locmem import LocMemCache

ATTEMPTS: Final = 10
WINDOW: Final = 300
"""Seconds from the first failure until the count starts anew."""

# Kept in this process: a counter needs no table, and a restart costs a guesser nothing worth having.
_failures: Final = LocMemCache("sign-in", {"OPTIONS": {"MAX_ENTRIES": 50_000}})


def blocked(username: str, address: str) -> bool:
    """Whether this pair must wait."""
    return int(_failures.get(_key(username, address), 0)) >= ATTEMPTS


def note_failure(username: str, address: str) -> None:
    """Counts one failure."""
    key = _key(username, address)
    if not _failures.add(key, 1, WINDOW):
        _failures.incr(key)


def forget(username: str, address: str) -> None:
    """Starts anew after a sign-in that went well."""
    _failures.delete(_key(username, address))


def clear() -> None:
    """Forgets all failures."""
    _failures.clear()


def _key(username: str, address: str) -> str:
    return hashlib.sha256(f"{username.casefold()}\n{address}".encode()).hexdigest()
