"""From the database to the broker: what is due is rung for, what is regular is done.

Nothing is kept here. If the relay dies, or the broker, what was due is due still.
"""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import time
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from provisioner import tasks
from provisioner.celery import app
from provisioner.custody import Custody
from tenancy.actions import (
    access,
    audit,
    bookkeeping,
    deliveries,
    devices,
    grants,
    reports,
    requests,
    retention,
    services,
    usage,
    work,
)
from tenancy.enums import ServiceKind, WorkKind
from tenancy.queries import clock
from tenancy.queries import work as due_work

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from celery import Task
    from kombu import Connection

log = logging.getLogger(__name__)

LOOK: Final = 0.1
"""Seconds between looks at the database."""
RESYNC: Final = 60
"""Seconds between looks at everything: drift of guard rails is seen within them, healed right after."""
AT_ONCE: Final = 100
"""Items rung for in one look."""
_AFTER_FAULT: Final = 10.0
"""Seconds for which a duty that failed rests at least: its trace must not fill the log."""
_HUSH: Final = 2.0
"""Seconds for which a broker that failed is left alone."""


class Bell:
    """Sends to the broker, fails within seconds, and says so once."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._silent_until = 0.0
        self._warned = False

    def ring(self, task: Task[Any, Any], **arguments: str) -> bool:
        """Whether the broker took it."""
        if time.monotonic() < self._silent_until:
            return False
        try:
            # "connection" is Celery's documented option; its stubs forgot it.
            options: dict[str, Any] = {"connection": self._line(), "retry": False}
            task.apply_async(kwargs=arguments, **options)
        except Exception as error:  # noqa: BLE001 - each transport has errors of its own
            self._fail(error)
            return False
        if self._warned:
            log.info("the broker answers again")
            self._warned = False
        return True

    def _line(self) -> Connection:
        if self._connection is None:
            # One who waits for the broker here would let everything else wait too.
            self._connection = app.connection_for_write(transport_options={"socket_timeout": 2})
        return self._connection

    def _fail(self, error: Exception) -> None:
        if not self._warned:
            log.warning(
                "the broker does not answer (%s): nothing is lost, work goes on when it is back", error
            )
            self._warned = True
        self._silent_until = time.monotonic() + _HUSH
        line, self._connection = self._connection, None
        if line is not None:
            with contextlib.suppress(Exception):
                line.release()


class Regular:
    """Something done every so many seconds, a tenth more or less so that relays do not march in step."""

    def __init__(self, seconds: float, do: Callable[[], object], clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._do = do
        self._clock = clock
        self._next = clock() + random.uniform(0, seconds)  # noqa: S311 - spreads load, guards nothing

    def rest(self, seconds: float) -> None:
        """Does it no sooner than that."""
        self._next = max(self._next, self._clock() + seconds)

    def perhaps(self) -> None:
        """Does it if its time has come."""
        now = self._clock()
        if now >= self._next:
            self._next = now + self._seconds * random.uniform(0.9, 1.1)  # noqa: S311 - as above
            self._do()


class Relay:
    """The loop of the ``relay`` command."""

    def __init__(self, bell: Bell, clock: Callable[[], float] = time.monotonic) -> None:
        self._bell = bell
        self._custody = Custody(settings.ATOLL_AUDIT_HEADS, clock)
        self._name = socket.gethostname()
        self._database_away = False
        self._regular = tuple(Regular(seconds, do, clock) for seconds, do in self._duties())

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        while not stop.is_set():
            self.once()
            stop.wait(LOOK)

    def once(self) -> int:
        """One look; how many items were rung for. A database that is away is waited for."""
        try:
            for duty in self._regular:
                self._do(duty)
            rung = self._ring_due()
        except (DatabaseError, InterfaceError) as error:
            self._lost_database(error)
            return 0
        if self._database_away:
            log.info("the database answers again")
            self._database_away = False
        return rung

    def _duties(self) -> tuple[tuple[float, Callable[[], object]], ...]:
        return (
            (10, lambda: services.beat(ServiceKind.RELAY, self._name)),
            (10, lambda: self._bell.ring(tasks.canary)),
            (15, access.sweep),
            (15, grants.tick),
            (15, requests.lapse_old),
            (15, devices.ask_in_turn),
            (60, usage.sample),
            (60, bookkeeping.inspect),
            (RESYNC, lambda: work.resync(WorkKind.CLUSTER)),
            (RESYNC, lambda: work.resync(WorkKind.HOST)),
            (30, reports.schedule),
            (RESYNC, lambda: work.resync(WorkKind.NODE)),
            (RESYNC, lambda: work.resync(WorkKind.TEMPLATE)),
            (10, self._custody.keep),
            (1, self._custody.inspect),
            (15, audit.tell_denials),
            (0.3, deliveries.hand_over),
            *((3600, sweep) for sweep in retention.SWEEPS),
        )

    def _do(self, duty: Regular) -> None:
        """A duty that fails keeps no other from its time; a database that is away is everybody's matter."""
        try:
            duty.perhaps()
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            duty.rest(_AFTER_FAULT)
            log.exception("a duty of the relay failed: it is tried again in its time, the others go on")

    def _ring_due(self) -> int:
        rung, at = [], clock.now()
        for item in due_work.due(AT_ONCE):
            task = tasks.send if item.kind is WorkKind.WEBHOOK else tasks.reconcile
            if not self._bell.ring(task, kind=item.kind.value, object_id=str(item.object_id)):
                break
            rung.append(item)
        work.ring(rung, at)
        return len(rung)

    def _lost_database(self, error: DatabaseError | InterfaceError) -> None:
        if not self._database_away:
            log.warning("the database does not answer (%s): it is asked again", error)
            self._database_away = True
        connection.close()
