"""A world that many tests look at: made once for a module, and after each test as it was."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.test import override_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAST: dict[str, Any] = {"PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"]}


@contextmanager
def made_once(blocker: Any) -> Iterator[None]:
    """For a fixture of a module that asks for ``django_db_setup``; its tests are marked ``django_db``.

    The transaction of each test is then a savepoint inside this one, and is undone as always.
    """
    with blocker.unblock(), override_settings(**_FAST), transaction.atomic():
        yield
        transaction.set_rollback(True)
