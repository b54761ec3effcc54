"""Whether the machinery behind the portal is at work, as the database knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tenancy.enums import ConditionStatus, ServiceKind
from tenancy.models import HostCluster, ServiceHeartbeat
from tenancy.queries import clock, work

ALIVE: Final = timedelta(seconds=45)
"""A process not heard of for so long counts as gone."""


@dataclass(frozen=True)
class ServiceHealth:
    """How many of each are alive, and how long the oldest work waits."""

    workers: int
    relays: int
    oldest_due_seconds: float
    hosts_reachable: int
    hosts: int


def health() -> ServiceHealth:
    """Read from heartbeats: the portal knows neither broker nor host."""
    fresh = ServiceHeartbeat.objects.filter(seen_at__gt=clock.now() - ALIVE)
    return ServiceHealth(
        workers=fresh.filter(kind=ServiceKind.WORKER).count(),
        relays=fresh.filter(kind=ServiceKind.RELAY).count(),
        oldest_due_seconds=work.oldest_due_seconds(),
        hosts_reachable=HostCluster.objects.filter(reachable=ConditionStatus.TRUE).count(),
        hosts=HostCluster.objects.count(),
    )


def heard_of(kind: ServiceKind, name: str, lately: timedelta) -> bool:
    """Whether that very process gave a sign of life within this time."""
    return ServiceHeartbeat.objects.filter(kind=kind, name=name, seen_at__gt=clock.now() - lately).exists()
