"""Signs of life of our own processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy.models import ServiceHeartbeat
from tenancy.queries import clock

if TYPE_CHECKING:
    from tenancy.enums import ServiceKind


def beat(kind: ServiceKind, name: str) -> None:
    """Says that this process works, on the database's clock."""
    ServiceHeartbeat.objects.update_or_create(kind=kind, name=name, defaults={"seen_at": clock.now()})
