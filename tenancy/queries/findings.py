"""Reads of what was found amiss on hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.enums import Permission
from tenancy.models import Finding

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tenancy.models import VirtualCluster
    from tenancy.policy import Actor


def visible_to(actor: Actor) -> QuerySet[Finding]:
    """All of them, newest first; raises ``NotAllowed`` for those without a platform role."""
    policy.check(actor, Permission.FINDING_VIEW)
    return Finding.objects.all()


def of_cluster(actor: Actor, cluster: VirtualCluster) -> QuerySet[Finding]:
    """A cluster's, for everyone who may see it; newest first."""
    policy.check(actor, Permission.CLUSTER_VIEW, cluster.tenant)
    return Finding.objects.filter(cluster=cluster)


def open_subjects(host: str, namespace: str = "") -> frozenset[str]:
    """What is amiss right now in a namespace of a host, or on the host itself."""
    rows = Finding.objects.filter(host=host, namespace=namespace, restored_at__isnull=True)
    return frozenset(rows.values_list("subject", flat=True))
