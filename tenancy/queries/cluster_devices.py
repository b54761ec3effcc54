"""Reads of what clusters have of the accelerators that they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenancy.models import Allocation
from tenancy.queries import clusters as known
from tenancy.queries.grants import open_requests

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from tenancy.models import VirtualCluster
    from tenancy.rules.specs import ClusterSpec


@dataclass(frozen=True)
class Devices:
    """What a cluster has of a class that it asks for, or is to give back."""

    key: str
    asked: int
    granted: int = 0
    held: int = 0
    request: UUID | None = None
    """The tenant's open request of the class, while the cluster lacks some."""
    sleeps: bool = False
    """It does without them for now."""


def _asked(wish: ClusterSpec) -> dict[str, int]:
    """Class → devices; 0 of each while it sleeps and does without."""
    return {key: wish.claims.get(key, 0) for key in wish.accelerators}


def of_clusters(clusters: Sequence[VirtualCluster]) -> dict[UUID, tuple[Devices, ...]]:
    """Cluster → what it has of each class; in two reads however many there are. Clusters without any are not in it."""
    asked = {c.uid: {} if c.deleting else _asked(known.spec(c)) for c in clusters}
    rows = Allocation.objects.filter(cluster__in=list(asked), released_at=None).select_related("accelerator")
    has = {(row.cluster_id, row.accelerator.key): row for row in rows} if asked else {}
    lacking = {c.tenant_id for c in clusters if asked[c.uid]}
    waiting = {(r.tenant_id, r.accelerator.key): r.uid for r in open_requests(lacking)} if lacking else {}
    found = {}
    for cluster in clusters:
        wish = asked[cluster.uid]
        keys = {**wish, **{key: 0 for uid, key in has if uid == cluster.uid}}
        devices = []
        for key in sorted(keys):
            row, n = has.get((cluster.uid, key)), wish.get(key, 0)
            granted = row.target if row else 0
            request = waiting.get((cluster.tenant_id, key)) if granted < n else None
            sleeps = n == 0 and key in wish
            devices.append(Devices(key, n, granted, row.held if row else 0, request, sleeps))
        if devices:
            found[cluster.uid] = tuple(devices)
    return found
