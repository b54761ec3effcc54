"""The database's clock: leases and due times are compared with it, never with a worker's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection
from django.utils import timezone

if TYPE_CHECKING:
    from datetime import datetime


def now() -> datetime:
    """The time at the database; SQLite runs in this process, so its clock is ours."""
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def seconds_since(moment: datetime | None, now: datetime) -> float:
    """How long ago that was; 0 where there was no such moment, and where clocks disagree."""
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0
