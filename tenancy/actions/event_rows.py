"""The only writer of events: numbers them in the order in which their transactions end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import F
from django.utils import timezone

from tenancy.models import Event, EventHead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenancy.rules.events import Happening

KEPT: Final = timedelta(days=7)


def append(happenings: Sequence[Happening]) -> None:
    """Writes the rows; the caller's transaction ends right after.

    A tenant's head stays locked until then, so nobody gets a later number and is seen earlier:
    whoever has read up to a number has missed nothing.
    """
    for tenant in sorted({one.tenant for one in happenings}):
        mine = [one for one in happenings if one.tenant == tenant]
        first, now = _advance(tenant, len(mine)), timezone.now()
        Event.objects.bulk_create(
            Event(tenant=tenant, sequence=number, type=one.type, at=now, data=one.data)
            for number, one in enumerate(mine, first)
        )


def sweep() -> int:
    """Drops what is older than a week; returns how many."""
    return Event.objects.filter(at__lt=timezone.now() - KEPT).delete()[0]


def _advance(tenant: str, count: int) -> int:
    """The first of so many new numbers."""
    head = EventHead.objects.filter(pk=tenant)
    if not head.update(sequence=F("sequence") + count):
        EventHead.objects.get_or_create(pk=tenant)
        head.update(sequence=F("sequence") + count)
    return head.values_list("sequence", flat=True).get() - count + 1
