"""The regular look at the books of devices, for operators to be alarmed by."""

from __future__ import annotations

import logging

from django.db import connection

from tenancy.actions.unit import atomic
from tenancy.queries import books

log = logging.getLogger(__name__)


def inspect() -> list[str]:
    """Logs what is wrong; all reads see one moment, or a decision between two of them would look like a fault."""
    whole = connection.vendor == "postgresql" and not connection.in_atomic_block
    with atomic():
        if whole:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found = books.faults()
    for fault in found:
        log.error("the books of devices are wrong: %s", fault)
    return found
