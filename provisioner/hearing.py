"""A worker that has gone deaf ends itself: whoever supervises it starts another.

A consumer may lose its broker and never hear of it. Nothing is lost by that, but with
one worker nothing is done either.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from celery.signals import worker_ready
from django.db import DatabaseError, InterfaceError, connection

from provisioner.celery import HARD_LIMIT
from tenancy.enums import ServiceKind
from tenancy.queries import services

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

DEAF: Final = timedelta(seconds=HARD_LIMIT + 30)
"""Longer than any task may take: a worker that is merely busy has done something since."""
EVERY: Final = 10.0


def deaf(name: str) -> bool:
    """Whether work has waited for long, a relay rings for it, and this worker did none of it."""
    seen = services.health()
    waiting = seen.relays > 0 and seen.oldest_due_seconds > DEAF.total_seconds()
    return waiting and not services.heard_of(ServiceKind.WORKER, name, DEAF)


def watch(
    name: str,
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    end: Callable[[int], Any] = os._exit,
) -> None:
    """Looks now and then, for ever; a worker just started has its time, too."""
    began = clock()
    while True:
        pause(EVERY)
        try:
            if clock() - began > DEAF.total_seconds() and deaf(name):
                log.critical("worker %s hears nothing though work waits: it ends, to be started anew", name)
                end(1)
                return
        except (DatabaseError, InterfaceError) as error:
            log.debug("the database does not answer: %s", error)
        finally:
            connection.close()


@worker_ready.connect
def listen(sender: Any, **_: object) -> None:  # noqa: ANN401 - Celery has no types
    """Once the children are there: a thread made before would not be in them, but its locks would."""
    threading.Thread(target=watch, args=(sender.hostname,), name="hearing", daemon=True).start()
