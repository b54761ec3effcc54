"""Which objects want a look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import F, Min, Q

from tenancy.enums import WorkKind
from tenancy.models import WorkItem
from tenancy.queries import clock

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

RING_AGAIN: Final = timedelta(seconds=10)
"""An item that was rung is not rung again for so long: a dead worker must not flood the broker."""


@dataclass(frozen=True)
class DueWork:
    """One object to look at."""

    kind: WorkKind
    object_id: UUID


SENDERS: Final = 2
"""Passes over webhooks at the same time: receivers that do not answer must not keep workers from clusters."""


def due(limit: int) -> list[DueWork]:
    """Items that want a pass now, nobody holds and nobody rang for lately; oldest first."""
    now = clock.now()
    rows = _unrung(now)
    found = list(rows.exclude(kind=WorkKind.WEBHOOK)[:limit])
    messages = list(rows.filter(kind=WorkKind.WEBHOOK)[:SENDERS])
    if messages:
        found += messages[: max(0, SENDERS - _sending(now))]
    return [DueWork(WorkKind(row.kind), row.object_id) for row in found]


def _sending(now: datetime) -> int:
    """Webhooks that a worker is at, or was rung for."""
    at_work = Q(lease_until__gt=now) | Q(rung_at__gt=now - RING_AGAIN)
    return WorkItem.objects.filter(at_work, kind=WorkKind.WEBHOOK).count()


def _unrung(now: datetime) -> QuerySet[WorkItem]:
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    # A wish or a due time younger than the last ring deserves a ring of its own.
    quiet = Q(rung_at__isnull=True) | Q(rung_at__lt=now - RING_AGAIN) | Q(rung_at__lt=F("due_at"))
    return _open(now).filter(free, quiet).order_by("due_at")


def oldest_due_seconds() -> float:
    """For how long the oldest due item has waited, in seconds; 0 when nothing waits."""
    now = clock.now()
    oldest = _open(now).aggregate(oldest=Min("due_at"))["oldest"]
    return max(0.0, (now - oldest).total_seconds()) if oldest else 0.0


def _open(now: datetime) -> QuerySet[WorkItem]:
    return WorkItem.objects.filter(requested__gt=F("handled"), due_at__lte=now)
