"""Reads of what was granted, held and used over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Sum

from tenancy import policy
from tenancy.enums import Permission
from tenancy.models import DeviceUsage
from tenancy.queries import calendar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from tenancy.models import AcceleratorClass, Tenant
    from tenancy.policy import Actor

EFFICIENCY_DAYS: Final = 30
"""Over how many days, today among them, a grant's use is shown to whoever asks for more or decides."""
_HOUR: Final = 3600


@dataclass(frozen=True)
class Hours:
    """Device-hours of one tenant and class."""

    tenant: str
    accelerator: str
    weight: int
    """Units that one device counts."""
    granted: float
    held: float
    """Given to clusters."""
    used: float
    """Held by pods."""

    @property
    def units(self) -> float:
        """Hours that were granted, in units that compare across classes."""
        return self.granted * self.weight

    @property
    def efficiency(self) -> float | None:
        """How much of what was granted pods really held; ``None`` where nothing was granted."""
        return round(self.used / self.granted, 3) if self.granted else None

    @property
    def allocated(self) -> float | None:
        """How much of what was granted clusters had."""
        return round(self.held / self.granted, 3) if self.granted else None


def days(since: date | None, until: date | None) -> tuple[date, date]:
    """From which day until before which a report is; without, the last thirty days, today among them."""
    until = until or calendar.today() + timedelta(days=1)
    return since or until - timedelta(days=EFFICIENCY_DAYS), until


def report(actor: Actor, since: date, until: date, tenant: Tenant | None = None) -> tuple[Hours, ...]:
    """Hours by tenant and class from one day until before another; of all tenants for admins and auditors."""
    policy.check(actor, Permission.GPU_VIEW, tenant)
    return tuple(_hours(since, until, {} if tenant is None else {"tenant": tenant}))


def lately(tenant: Tenant, today: date) -> dict[str, Hours]:
    """Class → what a tenant made of its grants lately; classes without any are not in it."""
    since, until = today - timedelta(days=EFFICIENCY_DAYS - 1), today + timedelta(days=1)
    return {row.accelerator: row for row in _hours(since, until, {"tenant": tenant})}


def none(tenant: Tenant, accelerator: AcceleratorClass) -> Hours:
    """Of a class of which nothing was granted."""
    return Hours(tenant.name, accelerator.key, accelerator.weight, 0.0, 0.0, 0.0)


def efficiency(tenant: Tenant, accelerator: AcceleratorClass, today: date) -> Hours:
    """What a tenant made of its grants of a class lately."""
    return lately(tenant, today).get(accelerator.key, none(tenant, accelerator))


def _hours(since: date, until: date, of: dict[str, Tenant | AcceleratorClass]) -> Iterator[Hours]:
    rows = DeviceUsage.objects.filter(day__gte=since, day__lt=until, **of)
    sums = rows.order_by("tenant__name", "accelerator__key").values(
        "tenant__name", "accelerator__key", "accelerator__weight"
    )
    for row in sums.annotate(granted_s=Sum("granted"), held_s=Sum("held"), used_s=Sum("used")):
        yield Hours(
            tenant=row["tenant__name"],
            accelerator=row["accelerator__key"],
            weight=row["accelerator__weight"],
            granted=round(row["granted_s"] / _HOUR, 3),
            held=round(row["held_s"] / _HOUR, 3),
            used=round(row["used_s"] / _HOUR, 3),
        )
