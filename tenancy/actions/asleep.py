"""What follows at once when a cluster is put to sleep or woken; the rest is for its host to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from tenancy.actions import audit, conditions
from tenancy.enums import ConditionStatus, ConditionType, Reason
from tenancy.rules.conditions import Condition

if TYPE_CHECKING:
    from tenancy.models import VirtualCluster
    from tenancy.rules.specs import ClusterSpec


def turned(by: str, cluster: VirtualCluster, spec: ClusterSpec) -> None:
    """Tells it, and forgets what is true no more: that it sleeps, or that its isolation was proved."""
    told: dict[str, object] = {}
    if spec.paused and spec.accelerators:
        told["accelerators"] = "released" if spec.releases else "kept"
    tenant = cluster.tenant.name
    audit.note(
        actor=by,
        action="cluster.pause" if spec.paused else "cluster.resume",
        tenant=tenant,
        target=f"cluster/{tenant}/{cluster.name}",
        uid=str(cluster.uid),
        generation=cluster.generation,
        **told,
    )
    _set(cluster, ConditionType.PAUSED, ConditionStatus.FALSE, Reason.NOT_YET_REPORTED)
    _set(cluster, ConditionType.ISOLATION_ATTESTED, ConditionStatus.UNKNOWN, _why(spec))


def _why(spec: ClusterSpec) -> Reason:
    """Why nothing is known of its isolation."""
    return Reason.PAUSED if spec.paused else Reason.NOT_YET_REPORTED


def _set(cluster: VirtualCluster, kind: ConditionType, status: ConditionStatus, reason: Reason) -> None:
    seen = Condition(kind, status, reason, "", cluster.generation)
    conditions.merge(cluster, seen, timezone.now())
