"""A unit of work: one transaction whose events and audit rows are written at its very end.

Each tenant's events have one head that numbers them, and the chain of audit rows has one that every
writer locks. They must be the last locks of a transaction and held shortest: so notes are collected,
and become rows when the outermost unit ends.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Final, ParamSpec, TypeAlias, TypeVar, overload

from django.db import OperationalError, transaction

from tenancy.actions import audit_rows, event_rows
from tenancy.rules import chain
from tenancy.rules.events import Happening, of_audit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)

CLASHES: Final = frozenset({"40001", "40P01"})
"""PostgreSQL's codes for a transaction that was ended so that another one could go on."""
READ_ONLY: Final = "25006"
"""PostgreSQL's code for a write in a transaction that only reads."""
TRIES: Final = 4
Note: TypeAlias = chain.Event | Happening
"""What a unit writes at its end: an audit row (which may be an event, too), or an event alone."""


class _Open(threading.local):
    """The units that are open in this thread, outermost first, each with its notes."""

    def __init__(self) -> None:
        self.units: list[list[Note]] = []


_open = _Open()


@overload
def atomic(action: Callable[P, T], /) -> Callable[P, T]: ...
@overload
def atomic() -> AbstractContextManager[None]: ...
def atomic(action: Callable[P, T] | None = None, /) -> Callable[P, T] | AbstractContextManager[None]:
    """A unit, as a decorator or a context; used as Django's, units inside are savepoints.

    The notes of a unit that is rolled back go with it. An action that the database ended for the
    sake of another one (deadlock) had no effect, and is done again from its beginning.
    """
    return _unit() if action is None else _again(action)


def collect(note: Note) -> None:
    """Keeps a note for the end; refuses outside a unit, or the change could land without it."""
    if not _open.units:
        what = f"audit of {note.action}" if isinstance(note, chain.Event) else f"event {note.type}"
        msg = f"{what} outside the change's transaction"
        raise RuntimeError(msg)
    _open.units[-1].append(note)


def is_open() -> bool:
    """Whether this thread is inside a unit."""
    return bool(_open.units)


def _again(action: Callable[P, T]) -> Callable[P, T]:
    @wraps(action)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(1, TRIES):
            try:
                with _unit():
                    return action(*args, **kwargs)
            except OperationalError as error:
                if transaction.get_connection().in_atomic_block or not _clash(error):
                    raise
                log.info("%s gave way to another transaction and begins anew", action.__name__)
                time.sleep(random.uniform(0, 0.05 * attempt))  # noqa: S311 - spreads load, guards nothing
        with _unit():
            return action(*args, **kwargs)

    return run


def is_read_only(error: BaseException) -> bool:
    """Whether the database refused a write because it takes none: a standby, or a file without the right."""
    return getattr(error.__cause__, "sqlstate", "") == READ_ONLY or "readonly database" in str(error)


def _clash(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", "") in CLASHES


@contextmanager
def _unit() -> Iterator[None]:
    notes: list[Note] = []
    _open.units.append(notes)
    try:
        with transaction.atomic():
            yield
            if transaction.get_rollback():
                notes.clear()
            if len(_open.units) == 1 and notes:
                _write(notes)
                notes.clear()
    except BaseException:
        notes.clear()
        raise
    finally:
        _open.units.pop()
    if _open.units:
        _open.units[-1].extend(notes)


def _write(notes: list[Note]) -> None:
    """Events first: the head of the audit log is everybody's, so it is locked last."""
    told = [of_audit(note) if isinstance(note, chain.Event) else note for note in notes]
    event_rows.append([one for one in told if one is not None])
    audited = [note for note in notes if isinstance(note, chain.Event)]
    if audited:
        audit_rows.append(audited)
