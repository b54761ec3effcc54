"""Signs of life of our own processes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tenancy.models import ServiceHeartbeat
from tenancy.queries import clock

if TYPE_CHECKING:
    from tenancy.enums import ServiceKind

KEPT: Final = timedelta(days=1)


def beat(kind: ServiceKind, name: str) -> None:
    """Says that this process works, on the database's clock."""
    ServiceHeartbeat.objects.update_or_create(kind=kind, name=name, defaults={"seen_at": clock.now()})


def sweep() -> int:
    """Drops processes not heard of for a day: a pod that is made anew has another name; returns how many."""
    return ServiceHeartbeat.objects.filter(seen_at__lt=clock.now() - KEPT).delete()[0]
