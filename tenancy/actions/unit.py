"""A unit of work: one transaction whose audit rows are written at its very end.

The chain of audit rows has one head that every writer locks. It must be the last lock of a
transaction and held shortest: so notes are collected, and become rows when the outermost unit ends.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar, overload

from django.db import transaction

from tenancy.actions import ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tenancy.rules.chain import Event

P = ParamSpec("P")
T = TypeVar("T")


class _Open(threading.local):
    """The units that are open in this thread, outermost first, each with its notes."""

    def __init__(self) -> None:
        self.units: list[list[Event]] = []


_open = _Open()


@overload
def atomic(action: Callable[P, T], /) -> Callable[P, T]: ...
@overload
def atomic() -> AbstractContextManager[None]: ...
def atomic(action: Callable[P, T] | None = None, /) -> Callable[P, T] | AbstractContextManager[None]:
    """A unit, as a decorator or a context; used as Django's, units inside are savepoints.

    The notes of a unit that is rolled back go with it.
    """
    return _unit() if action is None else _unit()(action)


def collect(event: Event) -> None:
    """Keeps a note for the end; refuses outside a unit, or the change could land without it."""
    if not _open.units:
        msg = f"audit of {event.action} outside the change's transaction"
        raise RuntimeError(msg)
    _open.units[-1].append(event)


def is_open() -> bool:
    """Whether this thread is inside a unit."""
    return bool(_open.units)


@contextmanager
def _unit() -> Iterator[None]:
    notes: list[Event] = []
    _open.units.append(notes)
    try:
        with transaction.atomic():
            yield
            if transaction.get_rollback():
                notes.clear()
            if len(_open.units) == 1 and notes:
                ledger.append(notes)
                notes.clear()
    except BaseException:
        notes.clear()
        raise
    finally:
        _open.units.pop()
    if _open.units:
        _open.units[-1].extend(notes)
