"""Holds the lease of an object while a pass runs, and knows at once when it is lost."""

from __future__ import annotations

import logging
import threading
from time import monotonic
from typing import TYPE_CHECKING, Final, Self

from django.db import DatabaseError, InterfaceError, connection

from provisioner.outcomes import LeaseLost
from tenancy.actions import work

if TYPE_CHECKING:
    from types import TracebackType

    from tenancy.actions.work import Lease

log = logging.getLogger(__name__)
SECONDS: Final = 45.0
"""How long a lease lives unrenewed."""
EVERY: Final = 10.0
"""Seconds between renewals."""


class Holding:
    """``ports.Guard`` over a lease: a thread renews it; a process that was stopped finds it lapsed.

    ``since`` is the monotonic time just before the claim, so that our idea of the lease never
    outlives the database's.
    """

    def __init__(self, lease: Lease, since: float) -> None:
        self._lease = lease
        self._until = since + SECONDS
        self._lost = False
        self._ended = threading.Event()
        self._renewer = threading.Thread(target=self._keep, name="lease", daemon=True)

    @property
    def fence(self) -> int:
        return self._lease.seen

    def check(self) -> None:
        if self._lost or monotonic() >= self._until:
            msg = f"the lease of {self._lease.kind} {self._lease.object_id} is lost: nothing more is done"
            raise LeaseLost(msg)

    def confirm(self) -> None:
        self._renew()
        self.check()

    def left(self) -> float:
        return self._until - monotonic()

    def __enter__(self) -> Self:
        self._renewer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._renewer.join()

    def _keep(self) -> None:
        """In a thread of its own, with a database connection of its own."""
        try:
            while not self._ended.wait(EVERY) and not self._lost:
                self._renew()
        finally:
            connection.close()

    def _renew(self) -> None:
        asked = monotonic()
        try:
            held = work.renew(self._lease, seconds=SECONDS)
        except (DatabaseError, InterfaceError) as error:
            # Not lost yet: it lapses by itself when the database stays away.
            log.warning("lease of %s not renewed: %s", self._lease.object_id, error)
            return
        if held:
            self._until = asked + SECONDS
        else:
            self._lost = True
