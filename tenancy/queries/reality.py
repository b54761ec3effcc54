"""What the ledger says of a host's devices, for those who compare it with the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenancy.enums import FindingKind
from tenancy.models import Allocation, Finding, PoolBalance, VirtualCluster
from tenancy.queries import grants
from tenancy.rules.reality import Account, Shortage

if TYPE_CHECKING:
    from uuid import UUID

KINDS = (FindingKind.DEVICES_OVER, FindingKind.DEVICES_MISPLACED, FindingKind.DEVICES_SHORT)


def accounts(host_uid: UUID) -> dict[UUID, Account]:
    """Every cluster of a host, with what counts for it."""
    rows = VirtualCluster.objects.filter(host_id=host_uid).select_related("tenant")
    counted = Allocation.objects.filter(cluster__host_id=host_uid, released_at=None)
    having: dict[UUID | None, dict[str, str]] = {}
    for row in counted.select_related("accelerator", "pool"):
        having.setdefault(row.cluster_id, {})[row.accelerator.key] = row.pool.name
    return {
        row.uid: Account(
            uid=row.uid,
            tenant=row.tenant.name,
            cluster=row.name,
            namespace=row.namespace,
            built=bool(row.guard_rails) and not row.deleting,
            shares=grants.shares(row) if row.uid in having else (),
            pools=having.get(row.uid, {}),
        )
        for row in rows.order_by("created_at", "uid")
    }


def shortages(host_uid: UUID) -> tuple[Shortage, ...]:
    """Pools of a host that have fewer devices than are promised there."""
    rows = PoolBalance.objects.filter(pool__host_id=host_uid, deficit__gt=0)
    return tuple(
        Shortage(row.pool.name, row.accelerator.key, row.capacity, row.held)
        for row in rows.select_related("pool", "accelerator").order_by("pool__name", "accelerator__key")
    )


def open_findings(host: str) -> dict[tuple[str, str], Any]:
    """Namespace and subject of what is amiss with devices right now → its details."""
    rows = Finding.objects.filter(host=host, restored_at__isnull=True, kind__in=[k.value for k in KINDS])
    return {(row.namespace, row.subject): row.details for row in rows}
