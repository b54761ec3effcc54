"""The one clock of business: grants, requests and reminders go by it, in UTC.

It is the database's; a rehearsal may move it forward by a file with seconds (docs/gpu-quotas.md).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from tenancy.queries import clock

if TYPE_CHECKING:
    from datetime import date, datetime


def now() -> datetime:
    """The time that decides about grants."""
    return clock.now() + timedelta(seconds=_ahead())


def today() -> date:
    """The day that decides about grants, in UTC."""
    return now().date()


def shown() -> date:
    """The day by this process's own clock: for showing many rows, where asking the database for each is too much."""
    return (timezone.now() + timedelta(seconds=_ahead())).date()


def _ahead() -> float:
    if not settings.ATOLL_REHEARSAL_CLOCK:
        return 0.0
    try:
        return float(Path(settings.ATOLL_REHEARSAL_CLOCK).read_text())
    except (OSError, ValueError):
        return 0.0
