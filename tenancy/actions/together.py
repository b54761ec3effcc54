"""Calls that come while one is being answered wait, and are then answered together: in one transaction, not in one each."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from django.db import transaction

from tenancy.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

A = TypeVar("A")
"""What a call asks."""
B = TypeVar("B")
"""What it is answered."""
log = logging.getLogger(__name__)

MOST: Final = 50
"""So many are answered in one transaction: whatever it locks, others wait for."""
GATHER: Final = 0.005
"""Seconds that whoever comes alone waits for company: those who come in the same moment need not wait for a whole turn."""
GATHERINGS: Final = 4
"""So often it waits again, as long as others keep coming."""


@dataclass(eq=False)
class _Call(Generic[A, B]):
    ask: A
    answer: B | DomainError | None = None
    over: bool = False
    """Nobody else answers it any more; without an answer, it is left to its own thread."""


class Together(Generic[A, B]):
    """One at a time is answered in this process; whoever comes next takes all along that wait by then.

    ``answer_all`` is an action: it answers each in its place, or refuses it there with a ``DomainError``
    for which it has written nothing. Where it fails as a whole (the database, a killed session), each
    thread answers its own call by itself. Calls that are ``about`` the same follow each other.
    """

    def __init__(
        self, answer_all: Callable[[Sequence[A]], Sequence[B | DomainError]], about: Callable[[A], Hashable]
    ) -> None:
        self._answer_all, self._about = answer_all, about
        self._waiting: list[_Call[A, B]] = []
        self._busy = False
        self._changed = threading.Condition()

    def __call__(self, ask: A) -> B:
        """The answer, as if nobody else had asked; inside an open transaction it is given there."""
        call: _Call[A, B] = _Call(ask)
        if not transaction.get_connection().in_atomic_block:
            self._wait(call)
        if call.answer is None:
            self._answer([call])
        if isinstance(call.answer, Exception):
            raise call.answer
        assert call.answer is not None  # noqa: S101 - for mypy
        return call.answer

    def _wait(self, mine: _Call[A, B]) -> None:
        """Until it is over, by another thread or, once nobody is at it, by this one."""
        with self._changed:
            self._waiting.append(mine)
            self._changed.wait_for(lambda: mine.over or not self._busy)
            if mine.over:
                return
            self._busy = True
            if len(self._waiting) == 1:
                self._gather()
            calls = self._take(mine)
        try:
            self._answer(calls)
        except Exception as error:
            if len(calls) == 1:
                raise
            unusual = not isinstance(error, DomainError)
            log.info("%d calls failed together: each is tried by itself", len(calls), exc_info=unusual)
        finally:
            with self._changed:
                self._busy = False
                for call in calls:
                    call.over = True
                self._changed.notify_all()

    def _gather(self) -> None:
        for _ in range(GATHERINGS):
            before = len(self._waiting)
            self._changed.wait(GATHER)
            if len(self._waiting) == before:
                return

    def _take(self, mine: _Call[A, B]) -> list[_Call[A, B]]:
        """Mine and those that wait longest, of each thing one; the others go on waiting."""
        taken = {self._about(mine.ask): mine}
        for call in self._waiting:
            if len(taken) < MOST:
                taken.setdefault(self._about(call.ask), call)
        self._waiting = [call for call in self._waiting if taken.get(self._about(call.ask)) is not call]
        return list(taken.values())

    def _answer(self, calls: Sequence[_Call[A, B]]) -> None:
        for call, answer in zip(calls, self._answer_all([call.ask for call in calls]), strict=True):
            call.answer = answer
