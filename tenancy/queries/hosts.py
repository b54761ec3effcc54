"""Reads of host clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.enums import Exposure, Permission
from tenancy.errors import NotFound
from tenancy.models import HostCluster
from tenancy.rules.drift import from_json
from tenancy.rules.specs import HostAccess, facts_from_json

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.models import Tenant
    from tenancy.policy import Actor


def visible_to(actor: Actor) -> QuerySet[HostCluster]:
    """The hosts an actor may see: platform roles only."""
    if policy.allows(actor, Permission.HOST_VIEW):
        return HostCluster.objects.all()
    return HostCluster.objects.none()


def get(actor: Actor, name: str) -> HostCluster:
    """One host; ``NotFound`` for unknown ones and for those without a platform role."""
    found = visible_to(actor).filter(name=name).first()
    if found is None:
        raise NotFound(missing(name))
    return found


def missing(name: str) -> str:
    """What is said to those without a platform role too."""
    return f"there is no host cluster {name!r}, or none that you may see"


def pick(pools_of: Tenant | None = None) -> HostCluster | None:
    """The host for a new cluster: the one with the fewest clusters among those that take any.

    With ``pools_of`` one where this tenant has a node pool, if there is any.
    """
    hosts = HostCluster.objects.filter(accepts_clusters=True)
    with_pool = hosts.filter(pools__tenant=pools_of).distinct()
    if pools_of is not None and with_pool.exists():
        hosts = with_pool
    return min(hosts, key=lambda h: (h.reachable != "True", h.clusters.count()), default=None)


def access(uid: UUID) -> HostAccess | None:
    """How the provisioner reaches a host; ``None`` when it was removed."""
    host = HostCluster.objects.filter(uid=uid).first()
    return to_access(host) if host else None


def to_access(host: HostCluster) -> HostAccess:
    """The row as the provisioner knows it."""
    return HostAccess(
        uid=host.uid,
        name=host.name,
        kubeconfig=host.kubeconfig,
        exposure=Exposure(host.exposure),
        client_cidrs=tuple(host.client_cidrs),
        image_prefix=host.image_prefix,
        control_plane_selector=dict(host.control_plane_selector),
        workload_selector=dict(host.workload_selector),
        progress_file=host.progress_file,
        facts=facts_from_json(host.facts),
        allowed_registries=tuple(host.allowed_registries),
        require_digests=host.require_digests,
        audit_log=host.audit_log,
        guard_rails=from_json(host.guard_rails),
        generation=host.generation,
    )
