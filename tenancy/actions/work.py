"""The queue: one row per object, claimed by compare-and-swap, fenced by the lease's token."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import F, Q

from tenancy.actions.unit import atomic
from tenancy.enums import WorkKind
from tenancy.models import (
    AccessRequest,
    ClusterTemplate,
    HostCluster,
    IsolationReport,
    Node,
    Notice,
    VirtualCluster,
    Webhook,
    WorkItem,
)
from tenancy.queries import clock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import Manager, QuerySet

    from tenancy.queries.work import DueWork

BACKOFF_FIRST: Final = 2.0
"""Seconds; doubles with each failure."""
BACKOFF_MOST: Final = 300.0
OBJECTS: Final[dict[WorkKind, Manager[Any]]] = {
    WorkKind.CLUSTER: VirtualCluster.objects,
    WorkKind.HOST: HostCluster.objects,
    WorkKind.ACCESS: AccessRequest.objects,
    WorkKind.REPORT: IsolationReport.objects,
    WorkKind.NODE: Node.objects,
    WorkKind.NOTICE: Notice.objects,
    WorkKind.TEMPLATE: ClusterTemplate.objects,
    WorkKind.WEBHOOK: Webhook.objects,
}
"""What each kind's ``object_id`` is the ``uid`` of."""


@dataclass(frozen=True)
class Lease:
    """The right to be the only one at work on an object, until it runs out."""

    kind: WorkKind
    object_id: UUID
    token: UUID
    seen: int
    """The wish that this pass answers."""


def request(kind: WorkKind, object_id: UUID) -> None:
    """Asks for a look at an object, in the same transaction as the change that makes it due."""
    if not transaction.get_connection().in_atomic_block:
        msg = f"work for {kind} {object_id} requested outside the change's transaction"
        raise RuntimeError(msg)
    now = clock.now()
    WorkItem.objects.get_or_create(kind=kind, object_id=object_id, defaults={"due_at": now})
    WorkItem.objects.filter(kind=kind, object_id=object_id).update(
        requested=F("requested") + 1, due_at=now, failures=0
    )


def begin(kind: WorkKind, object_ids: Iterable[UUID]) -> None:
    """Asks for the first look at objects made in this transaction, which have no row yet."""
    wanted = list(object_ids)
    if wanted:
        now = clock.now()
        rows = (WorkItem(kind=kind, object_id=one, requested=1, due_at=now) for one in wanted)
        WorkItem.objects.bulk_create(rows)


def claim(kind: WorkKind, object_id: UUID, *, seconds: float = 60, token: UUID | None = None) -> Lease | None:
    """Takes the lease if the item is due and free; ``None`` when somebody else has or had it.

    A worker at many objects at the same time gives one ``token`` for all of them, by which it is counted once.
    """
    now = clock.now()
    item = WorkItem.objects.filter(kind=kind, object_id=object_id).first()
    if item is None:
        return None
    token = token or uuid.uuid4()
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    won = WorkItem.objects.filter(
        free, pk=item.pk, requested=item.requested, requested__gt=F("handled"), due_at__lte=now
    ).update(lease=token, lease_until=now + timedelta(seconds=seconds))
    return Lease(kind, object_id, token, item.requested) if won == 1 else None


def renew(lease: Lease, *, seconds: float = 60) -> bool:
    """Holds the lease for longer; False means it is lost: stop every side effect."""
    return _update(lease, lease_until=clock.now() + timedelta(seconds=seconds))


def finish(lease: Lease) -> bool:
    """Gives the lease back with the wish answered; a wish made meanwhile stays due."""
    return _release(lease, handled=lease.seen, failures=0)


def wait(lease: Lease, after_seconds: float) -> bool:
    """Gives the lease back to look again later; waiting for the world is not a failure.

    A wish made during the pass keeps its own, earlier due time.
    """
    return _again(lease, after_seconds, failures=0)


def retry(lease: Lease) -> bool:
    """Gives the lease back after a fault: exponential backoff with full jitter, for ever."""
    item = _held(lease).first()
    if item is None:
        return False
    longest = min(BACKOFF_FIRST * 2 ** min(item.failures, 20), BACKOFF_MOST)
    after = random.uniform(0.5, longest)  # noqa: S311 - spreads load, guards nothing
    return _again(lease, after, failures=item.failures + 1)


def ring(items: Iterable[DueWork], at: datetime) -> None:
    """Notes that the bell was rung for these, at a time before it was.

    A pass may have ended meanwhile and set a new due time: that one must count as not rung for yet.
    """
    for item in items:
        WorkItem.objects.filter(kind=item.kind, object_id=item.object_id).update(rung_at=at)


@atomic
def resync(kind: WorkKind) -> int:
    """Makes every object of a kind due: repair of drift is the same path as creation."""
    items = _in_order(WorkItem.objects.filter(kind=kind, requested=F("handled")))
    return items.update(requested=F("requested") + 1, due_at=clock.now())


def request_all(kind: WorkKind, object_ids: Iterable[UUID]) -> int:
    """Asks for a look at many objects at once, for something that concerns them all."""
    items = _in_order(WorkItem.objects.filter(kind=kind, object_id__in=list(object_ids)))
    return items.update(requested=F("requested") + 1, due_at=clock.now(), failures=0)


def forget(kind: WorkKind, object_id: UUID) -> None:
    """Removes the row of an object that is gone."""
    WorkItem.objects.filter(kind=kind, object_id=object_id).delete()


def sweep() -> int:
    """Removes the rows of objects that went without a word, as what belongs to a deleted host does; returns how many."""
    return sum(
        WorkItem.objects.filter(kind=kind).exclude(object_id__in=there.values("uid")).delete()[0]
        for kind, there in OBJECTS.items()
    )


def holds(lease: Lease) -> bool:
    """Whether the lease is still ours: the fence of every write made under it.

    Locks the row until the transaction ends, so that it cannot be lost in between.
    """
    return _held(lease).select_for_update().first() is not None


def _in_order(items: QuerySet[WorkItem]) -> QuerySet[WorkItem]:
    """The same rows, locked in one order for all who write to several: else two could wait for each other."""
    list(items.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    return items


def _again(lease: Lease, after_seconds: float, *, failures: int) -> bool:
    later = clock.now() + timedelta(seconds=after_seconds)
    if _held(lease).filter(requested=lease.seen).update(**_freed(due_at=later, failures=failures)) == 1:
        return True
    # A wish came during the pass: its due time stands.
    return _release(lease, failures=failures)


def _release(held: Lease, **changes: Any) -> bool:  # noqa: ANN401 - column values
    return _update(held, **_freed(**changes))


def _freed(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - column values
    return {"lease": None, "lease_until": None, "rung_at": None, **changes}


def _update(held: Lease, **changes: Any) -> bool:  # noqa: ANN401 - column values
    return _held(held).update(**changes) == 1


def _held(lease: Lease) -> QuerySet[WorkItem]:
    return WorkItem.objects.filter(kind=lease.kind, object_id=lease.object_id, lease=lease.token)
