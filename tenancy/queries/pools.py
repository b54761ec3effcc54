"""Reads of node pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Prefetch

from tenancy import policy
from tenancy.enums import OperationState, Permission, PoolKind, Sandbox
from tenancy.errors import NotFound
from tenancy.models import NodeMove, NodePool
from tenancy.rules import nodes, pools, survey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

    from tenancy.models import HostCluster, Tenant, VirtualCluster
    from tenancy.policy import Actor
    from tenancy.rules.pools import Pool
    from tenancy.rules.specs import HostFacts

FOR_PLACEMENT = ("host__nodes", "host__pools__nodes", "pool__tenant", "pool__nodes")
"""What ``of_cluster`` and ``facts_for`` read of a cluster, for ``prefetch_related``."""


def visible_to(actor: Actor, host: HostCluster) -> QuerySet[NodePool]:
    """The pools of a host with their nodes, moves at work and clusters, by name: platform roles only."""
    policy.check(actor, Permission.HOST_VIEW)
    rows = NodePool.objects.filter(host=host).select_related("host", "tenant")
    return rows.prefetch_related(*with_moves(), "clusters__tenant")


def with_moves() -> tuple[str, Prefetch[Any]]:
    """For ``prefetch_related``: a pool's nodes, each with the moves that are ``running``."""
    running = NodeMove.objects.filter(state=OperationState.RUNNING)
    return "nodes", Prefetch("nodes__moves", running, to_attr="running")


def get(actor: Actor, host: HostCluster, name: str) -> NodePool:
    """One pool of a host."""
    found = visible_to(actor, host).filter(name=name).first()
    if found is None:
        raise NotFound(missing(host.name, name))
    return found


def missing(host: str, name: str) -> str:
    """What is said of a pool that is not there."""
    return f"host {host!r} has no node pool {name!r}"


def usable_by(actor: Actor, tenant: Tenant) -> QuerySet[NodePool]:
    """The pools a tenant can place clusters on, for its members: its own on every host."""
    policy.check(actor, Permission.TENANT_VIEW, tenant)
    return of_tenant(tenant)


def of_tenant(tenant: Tenant, host: HostCluster | None = None) -> QuerySet[NodePool]:
    """A tenant's dedicated pools, on one host or on all."""
    rows = NodePool.objects.filter(tenant=tenant)
    rows = rows.filter(host=host) if host is not None else rows
    return rows.select_related("host", "tenant").prefetch_related("nodes")


def of_cluster(cluster: VirtualCluster) -> Pool | None:
    """Where a cluster's pods run: its own pool, else the host's shared one that has nodes by now."""
    return to_pool(cluster.pool) if cluster.pool is not None else _shared(cluster.host)


def facts_in(rows: Iterable[NodePool], facts: HostFacts | None) -> HostFacts | None:
    """A host's facts as clusters have them that may only use these pools' nodes; of the whole host while none is seen."""
    seen = [nodes.from_json(node.facts) for row in rows for node in row.nodes.all() if node.present]
    return survey.within(facts, seen) if facts and seen else facts


def shared_facts(host: HostCluster, facts: HostFacts | None) -> HostFacts | None:
    """A host's facts as a shared cluster has them that is still to choose; of the whole host while no node is seen.

    Only nodes count that its pods can land on now: of the shared pool that has some, else of no pool.
    """
    seen = [nodes.from_json(node.facts) for node in host.nodes.all() if node.present] if facts else []
    if facts is None or not seen:
        return facts
    return survey.within(facts, survey.places(seen, _shared(host), host.workload_selector))


def facts_for(cluster: VirtualCluster, facts: HostFacts | None) -> HostFacts | None:
    """A host's facts as this cluster has them when it chooses anew: of the nodes its pods can land on."""
    if cluster.pool is not None:
        return facts_in([cluster.pool], facts)
    return shared_facts(cluster.host, facts)


def to_pool(row: NodePool) -> Pool:
    """The row as rules know it."""
    return pools.Pool(
        name=row.name,
        kind=PoolKind(row.kind),
        tenant=row.tenant.name if row.tenant else "",
        tenant_uid=row.tenant_id,
        selector=dict(row.selector),
        tainted=row.tainted,
        sandboxes=tuple(Sandbox(word) for word in row.sandboxes),
        accelerators=tuple(row.accelerators),
        nodes=sum(node.present for node in row.nodes.all()),
    )


def _shared(host: HostCluster) -> Pool | None:
    """The host's shared pool that has nodes by now."""
    found = (p for p in host.pools.all() if p.kind == PoolKind.SHARED and _is_there(p))
    return next((to_pool(row) for row in found), None)


def _is_there(row: NodePool) -> bool:
    """A node with the pool's label was seen on the host: pods that select it find a place."""
    worn = (node.facts["labels"].get(pools.POOL) for node in row.nodes.all() if node.present)
    return row.name in worn
