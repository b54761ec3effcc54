"""The only writer of events: numbers them in the order in which their transactions end."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import F
from django.utils import timezone

from tenancy.models import Event, EventHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tenancy.rules.events import Happening

KEPT: Final = timedelta(days=7)


def append(happenings: Sequence[Happening]) -> None:
    """Writes the rows; the caller's transaction ends right after.

    A tenant's head stays locked until then, so nobody gets a later number and is seen earlier:
    whoever has read up to a number has missed nothing.
    """
    if not happenings:
        return
    numbers = _advance(Counter(one.tenant for one in happenings))
    now = timezone.now()
    Event.objects.bulk_create(
        Event(tenant=one.tenant, sequence=next(numbers[one.tenant]), type=one.type, at=now, data=one.data)
        for one in happenings
    )


def sweep() -> int:
    """Drops what is older than a week; returns how many."""
    return Event.objects.filter(at__lt=timezone.now() - KEPT).delete()[0]


def _advance(counts: Mapping[str, int]) -> dict[str, Iterator[int]]:
    """New numbers for each tenant, so many; their heads are locked in the order of their names."""
    last = _locked(counts)
    if missing := counts.keys() - last:
        EventHead.objects.bulk_create(
            (EventHead(tenant) for tenant in sorted(missing)), ignore_conflicts=True
        )
        last = _locked(counts)
    for count in set(counts.values()):
        heads = EventHead.objects.filter(pk__in=[tenant for tenant in counts if counts[tenant] == count])
        heads.update(sequence=F("sequence") + count)
    return {
        tenant: iter(range(last[tenant] + 1, last[tenant] + 1 + count)) for tenant, count in counts.items()
    }


def _locked(tenants: Iterable[str]) -> dict[str, int]:
    """The last number of each that has any."""
    heads = EventHead.objects.select_for_update().filter(pk__in=list(tenants)).order_by("pk")
    return dict(heads.values_list("pk", "sequence"))
