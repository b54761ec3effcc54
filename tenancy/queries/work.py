"""Which objects want a look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Count, F, Min, Q

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
"""Workers that send to webhooks at the same time: receivers that do not answer must not keep workers from clusters."""
UNTAKEN: Final = timedelta(seconds=1)
"""A sender at work takes what comes, within a fraction of this; what it leaves is worth a second one."""


def due(limit: int) -> list[DueWork]:
    """Items that want a pass now, nobody holds and nobody rang for lately; oldest first."""
    now = clock.now()
    rows = _unrung(now)
    found = list(rows.exclude(kind=WorkKind.WEBHOOK)[:limit])
    message = rows.filter(kind=WorkKind.WEBHOOK).first()
    if message is not None and _wants_sender(message, now):
        found.append(message)
    return [DueWork(WorkKind(row.kind), row.object_id) for row in found]


def _wants_sender(oldest: WorkItem, now: datetime) -> bool:
    """Whether one more worker shall send: each takes all that waits, so one is enough as long as it does."""
    senders = _senders(now)
    return senders == 0 or (senders < SENDERS and oldest.due_at < now - UNTAKEN)


def _senders(now: datetime) -> int:
    """Workers that send, each by one token, and bells that none has heard yet."""
    hooks = WorkItem.objects.filter(kind=WorkKind.WEBHOOK)
    at_work = hooks.filter(lease_until__gt=now).values("lease").distinct().count()
    rung = Q(rung_at__gt=now - RING_AGAIN, rung_at__gte=F("due_at"))
    return at_work + _open(now).filter(_free(now), rung, kind=WorkKind.WEBHOOK).count()


def free(kind: WorkKind) -> list[UUID]:
    """Objects of a kind that are due and that nobody is at, the longest due first."""
    now = clock.now()
    rows = _open(now).filter(_free(now), kind=kind).order_by("due_at")
    return list(rows.values_list("object_id", flat=True))


def _unrung(now: datetime) -> QuerySet[WorkItem]:
    # A wish or a due time younger than the last ring deserves a ring of its own.
    quiet = Q(rung_at__isnull=True) | Q(rung_at__lt=now - RING_AGAIN) | Q(rung_at__lt=F("due_at"))
    return _open(now).filter(_free(now), quiet).order_by("due_at")


def oldest_due_seconds() -> float:
    """For how long the oldest due item has waited, in seconds; 0 when nothing waits."""
    now = clock.now()
    oldest = _open(now).aggregate(oldest=Min("due_at"))["oldest"]
    return clock.seconds_since(oldest, now)


@dataclass(frozen=True)
class Queue:
    """How the work of one kind is doing."""

    kind: WorkKind
    due: int = 0
    """Wants a pass now, and nobody is at it."""
    running: int = 0
    failing: int = 0
    """Its last pass met an error; it is tried again, ever more rarely."""
    oldest_due_seconds: float = 0.0


def queues() -> list[Queue]:
    """Every kind, also those of which there is no work."""
    now = clock.now()
    wanted = Q(requested__gt=F("handled"))
    waiting = wanted & Q(due_at__lte=now) & _free(now)
    rows = (
        WorkItem.objects.order_by()
        .values_list("kind")
        .annotate(
            due=Count("pk", filter=waiting),
            running=Count("pk", filter=Q(lease_until__gt=now)),
            failing=Count("pk", filter=wanted & Q(failures__gt=0)),
            oldest=Min("due_at", filter=waiting),
        )
    )
    found = {kind: (*counts, clock.seconds_since(oldest, now)) for kind, *counts, oldest in rows}
    return [Queue(kind, *found.get(kind, ())) for kind in WorkKind]


def _free(now: datetime) -> Q:
    return Q(lease_until__isnull=True) | Q(lease_until__lt=now)


def _open(now: datetime) -> QuerySet[WorkItem]:
    return WorkItem.objects.filter(requested__gt=F("handled"), due_at__lte=now)
