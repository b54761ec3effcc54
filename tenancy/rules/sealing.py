"""Seals what must not lie open in the database: one hand-over, readable by us alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, MultiFernet

if TYPE_CHECKING:
    from collections.abc import Sequence


def seal(keys: Sequence[str], text: str) -> str:
    """Encrypts and authenticates with the newest key (the first)."""
    return _ring(keys).encrypt(text.encode()).decode()


def unseal(keys: Sequence[str], sealed: str) -> str:
    """Reads with any of the keys; ``cryptography.fernet.InvalidToken`` when none fits."""
    return _ring(keys).decrypt(sealed.encode()).decode()


def _ring(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
