"""The rows of a cluster's conditions: written by whoever owns the condition, in one way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenancy.models import ClusterCondition

if TYPE_CHECKING:
    from datetime import datetime

    from tenancy.models import VirtualCluster
    from tenancy.rules.conditions import Condition


def merge(cluster: VirtualCluster, seen: Condition, now: datetime) -> None:
    """``changed_at`` moves only when the status flips."""
    row = ClusterCondition.objects.filter(cluster=cluster, type=seen.type)
    values: dict[str, Any] = {
        "status": seen.status,
        "reason": seen.reason,
        "message": seen.message,
        "observed_generation": seen.observed_generation,
    }
    if row.filter(status=seen.status).update(**values) or row.update(**values, changed_at=now):
        return
    # A word that is younger than the cluster.
    ClusterCondition.objects.create(cluster=cluster, type=seen.type, **values, changed_at=now)
