"""Device-seconds by tenant, class and day: what was granted, given to clusters, and held by pods."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import F, Max

from tenancy.actions import balances
from tenancy.actions.unit import atomic
from tenancy.models import Allocation, DeviceUsage, Grant, Tenant
from tenancy.queries import accelerators, calendar, clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from tenancy.models import AcceleratorClass

LONGEST: Final = timedelta(minutes=2)
"""At most this much is counted since the sample before: nobody knows what was held while Atoll was away."""


def sample() -> None:
    """Counts what has passed since the last sample; each tenant in a transaction of its own."""
    known = list(accelerators.all_())
    concerned = Tenant.objects.filter(grants__closed_at=None, grants__isnull=False)
    concerned |= Tenant.objects.filter(allocations__released_at=None, allocations__isnull=False)
    for tenant in concerned.distinct() if known else ():
        _sample(tenant, known)


@atomic
def _sample(tenant: Tenant, known: list[AcceleratorClass]) -> None:
    balances.lock([], tenant.pk)
    now = calendar.now()
    for accelerator in known:
        rates = _rates(tenant, accelerator)
        rows = DeviceUsage.objects.filter(tenant=tenant, accelerator=accelerator)
        last = rows.aggregate(at=Max("sampled_at"))["at"]
        if not any(rates.values()) and last is None:
            continue
        for day, seconds in _spans(last or now, now):
            amounts = {name: rate * seconds for name, rate in rates.items()}
            made, new = rows.get_or_create(
                tenant=tenant,
                accelerator=accelerator,
                day=day,
                defaults={**amounts, "sampled_at": now},
            )
            if not new:
                grown = {name: F(name) + amount for name, amount in amounts.items()}
                DeviceUsage.objects.filter(pk=made.pk).update(**grown, sampled_at=now)


def _rates(tenant: Tenant, accelerator: AcceleratorClass) -> dict[str, int]:
    """Devices at this moment."""
    mine = {"tenant": tenant, "accelerator": accelerator}
    given = Grant.objects.filter(**mine, activated_at__isnull=False, ended_at=None)
    open_ = list(Allocation.objects.filter(**mine, released_at=None).select_related("pool__host"))
    fresh = [row for row in open_ if row.pool.host.seen_at and _lately(row.pool.host.seen_at)]
    return {
        "granted": sum(grant.amount for grant in given),
        "held": sum(row.held for row in open_),
        "used": sum(n for row in fresh for n in row.used.values()),
    }


def _lately(seen_at: datetime) -> bool:
    """Whether a host was looked at within what a sample counts; the look goes by the plain clock."""
    return clock.now() - seen_at <= LONGEST


def _spans(last: datetime, now: datetime) -> Iterator[tuple[date, int]]:
    """Day and whole seconds of what is counted, split at midnight UTC; today is always among them."""
    since = max(last, now - LONGEST)
    midnight = datetime.combine(now.date(), time(), tzinfo=now.tzinfo)
    if since < midnight:
        yield since.date(), int((midnight - since).total_seconds())
        since = midnight
    yield now.date(), max(0, int((now - since).total_seconds()))
