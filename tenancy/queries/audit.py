"""Reads of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.enums import Permission
from tenancy.models import AuditEvent

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tenancy.models import Tenant, VirtualCluster
    from tenancy.policy import Actor


def visible_to(actor: Actor, tenant: Tenant | None = None) -> QuerySet[AuditEvent]:
    """Rows of a tenant, or of the whole platform when none is named; newest first."""
    policy.check(actor, Permission.AUDIT_VIEW, tenant)
    rows = AuditEvent.objects.all()
    return rows.filter(tenant=tenant.name) if tenant is not None else rows


def of_cluster(actor: Actor, cluster: VirtualCluster) -> QuerySet[AuditEvent]:
    """What people did to this cluster; for everyone who may see it."""
    policy.check(actor, Permission.CLUSTER_VIEW, cluster.tenant)
    target = f"cluster/{cluster.tenant.name}/{cluster.name}"
    return AuditEvent.objects.filter(tenant=cluster.tenant.name, target=target, at__gte=cluster.created_at)
