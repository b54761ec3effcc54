"""A sender: one worker at many receivers at the same time, each of which is waited for in a thread.

Threads only send and wait. What is read from the database and written to it is so in the thread of
the pass, so that many receivers cost one connection.
"""

from __future__ import annotations

import logging
import uuid
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError
from django.utils import timezone

from tenancy.actions import deliveries, work
from tenancy.enums import WorkKind
from tenancy.queries import webhooks
from tenancy.rules import turns
from tenancy.rules import webhooks as rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from provisioner.ports import Senders
    from tenancy.actions.work import Lease
    from tenancy.rules.turns import Waiting
    from tenancy.rules.webhooks import Answer

log = logging.getLogger(__name__)

BUDGET: Final = 20.0
"""Seconds for which a pass begins with new receivers; those it is at then are waited for, which takes a deadline more."""
TURN: Final = 15.0
"""Seconds after which a receiver that takes one message after the other gives its place to the next."""
LEASE: Final = 45.0
"""Seconds; longer than a turn and the message that was begun at its end."""
LOOK: Final = 0.2
"""Seconds between two looks for more to send, while receivers are waited for."""
PATIENCE: Final = 1.0
"""Seconds after which a receiver that worked so far and does not answer keeps nobody else from being sent to."""
THREADS: Final = 1024
"""Receivers that are waited for at most, those beyond patience among them."""
AT_ONCE: Final = 16
"""Turns begun, and answers written, between two looks: many that fail at the same moment must not hold up one that works."""


@dataclass(frozen=True)
class Turn:
    """One receiver's."""

    who: Waiting
    lease: Lease
    until: float


@dataclass(frozen=True)
class Asked:
    """A receiver that was sent something and has not answered."""

    turn: Turn
    delivery: UUID
    since: float

    @property
    def takes_room(self) -> bool:
        """Those that fail have half of the room and keep to it; of the others nobody knew that they would hang."""
        return self.turn.who.failing or monotonic() - self.since < PATIENCE


class Sender:
    """Sends what waits, to as many receivers at a time as there is room for."""

    def __init__(self, post: Senders, room: int = turns.ROOM, threads: int = THREADS) -> None:
        self._post = post
        self._room, self._threads = room, threads
        self._token = uuid.uuid4()
        self._busy: dict[Future[Answer], Asked] = {}
        self._pool: ThreadPoolExecutor
        self.sent = 0
        """Attempts of this pass."""

    def run(self, first: UUID) -> None:
        """Until nothing waits or the time is over; does nothing where another sender is at ``first`` already.

        At least once: a worker that dies between sending and writing sends it again, under the same id.
        """
        until = monotonic() + BUDGET
        with ThreadPoolExecutor(self._threads, "sender") as self._pool:
            self._take([one for one in webhooks.waiting() if one.hook == first])
            while self._busy:
                if monotonic() < until:
                    self._take(webhooks.waiting())
                for one in islice(wait(self._busy, LOOK, FIRST_COMPLETED).done, AT_ONCE):
                    self._conclude(one)

    def _take(self, waiting: list[Waiting]) -> None:
        at = [one.turn.who for one in self._busy.values() if one.takes_room]
        room = min(self._room, self._threads - len(self._busy) + len(at))
        for who in turns.turns(waiting, at, room)[:AT_ONCE]:
            lease = work.claim(WorkKind.WEBHOOK, who.hook, seconds=LEASE, token=self._token)
            if lease is not None:
                turn = Turn(who, lease, monotonic() + TURN)
                self._safely(turn, partial(self._next, turn))

    def _next(self, turn: Turn) -> None:
        """The next message of a turn, or the end of it."""
        found = webhooks.next_message(turn.who.hook)
        if found is None:
            work.finish(turn.lease)
        elif isinstance(found, float):
            work.wait(turn.lease, found)
        elif monotonic() > turn.until:
            work.wait(turn.lease, 0)
        else:
            headers = rules.headers(found.identifier, timezone.now(), found.body, found.keys)
            begun = self._pool.submit(self._post.post, found.url, headers, found.body.encode())
            self._busy[begun] = Asked(turn, found.delivery, monotonic())
            self.sent += 1

    def _conclude(self, ended: Future[Answer]) -> None:
        asked = self._busy.pop(ended)
        turn, delivery = asked.turn, asked.delivery

        def conclude() -> None:
            if deliveries.tried(turn.lease, delivery, ended.result()):
                self._next(turn)
            else:
                log.warning("what came of delivery %s was seen too late: the lease is lost", delivery)

        self._safely(turn, conclude)

    def _safely(self, turn: Turn, do: Callable[[], None]) -> None:
        """What fails for one receiver is no matter of the others'; a database that is away is everybody's."""
        try:
            do()
        except DatabaseError:
            raise
        except Exception:
            log.exception("webhook %s: a turn failed; it has another", turn.who.hook)
            work.retry(turn.lease)
