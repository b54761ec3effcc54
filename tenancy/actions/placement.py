"""Where a cluster runs, and why it cannot be had there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tenancy.actions import devices
from tenancy.enums import IsolationModel, Trust
from tenancy.errors import Conflict, refuse
from tenancy.queries import clusters, hosts, pools
from tenancy.rules import offers
from tenancy.rules import pools as pool_rules
from tenancy.rules.specs import facts_from_json

if TYPE_CHECKING:
    from tenancy.models import HostCluster, NodePool, Tenant, VirtualCluster
    from tenancy.rules.specs import ClusterSpec, HostFacts


def pick_host(spec: ClusterSpec, tenant: Tenant) -> HostCluster:
    """The host for a new cluster; raises ``Conflict`` where none takes any."""
    placed = devices.place(spec, tenant)
    host = placed.host if placed else hosts.pick(pools_of=tenant if pool_rules.is_dedicated(spec) else None)
    if host is None:
        msg = "no host cluster takes new clusters: an admin registers one (PUT /api/v1/hosts/NAME)"
        raise Conflict(msg)
    return host


def pool_for(
    spec: ClusterSpec, host: HostCluster, tenant: Tenant, cluster: VirtualCluster | None = None
) -> NodePool | None:
    """The pool that it runs on, its tenant's under lock; ``None`` for whichever all share. ``Invalid`` if it cannot be had."""
    if cluster is not None and _only_sleeps(spec, cluster):
        refuse(offers.pause_refusals(spec, facts_from_json(host.facts)))
        return cluster.pool
    rows = _pools(spec, host, tenant, cluster)
    mine = [pools.to_pool(row) for row in rows.values() if row.tenant_id]
    meant = pool_rules.chosen(spec, mine) if cluster is None else None
    pool = rows.get(meant.name) if meant else next((r for r in rows.values() if not r.tenant_id), None)
    pool = cluster.pool if cluster is not None and cluster.pool else pool
    facts = _facts_of_changed(spec, cluster) if cluster else _facts_of_new(spec, host, pool)
    trust = Trust(tenant.trust)
    faults = offers.refusals(spec, facts, trust, host.kubernetes_versions, host.name)
    offered = offers.offered_sandboxes(facts, trust, spec.model or IsolationModel.SHARED) if facts else None
    if cluster is None:
        faults += pool_rules.refusals(spec, mine, offered, host.name)
    else:
        own = pools.to_pool(cluster.pool) if cluster.pool and cluster.pool.tenant_id else None
        faults += pool_rules.change_refusals(spec, own)
    chosen = clusters.chosen_sandbox(cluster) if cluster else None
    sandbox = spec.sandbox or chosen or next(iter(offered or ()), None)
    there = pools.facts_in([pool] if pool else [], facts)
    faults += tuple(devices.refusals(spec, pool, there, sandbox, cluster, tenant, host))
    refuse(faults)
    return pool


def _only_sleeps(spec: ClusterSpec, cluster: VirtualCluster) -> bool:
    """Whether it is the cluster as it is, asleep: what its host offers is no matter before it wakes."""
    has = clusters.spec(cluster)
    release = has.release_accelerators_while_paused
    return spec.paused and replace(spec, paused=has.paused, release_accelerators_while_paused=release) == has


def _pools(
    spec: ClusterSpec, host: HostCluster, tenant: Tenant, cluster: VirtualCluster | None
) -> dict[str, NodePool]:
    """By name: a new cluster's tenant's own, locked so that none changes hands meanwhile; or the one with its accelerators."""
    if cluster is None and pool_rules.is_dedicated(spec):
        return {
            row.name: row
            for row in pools.of_tenant(tenant, host).select_for_update(of=("self",), no_key=True)
        }
    placed = devices.place(spec, tenant)
    return {placed.name: placed} if placed and placed.host_id == host.pk else {}


def _facts_of_new(spec: ClusterSpec, host: HostCluster, pool: NodePool | None) -> HostFacts | None:
    """What other nodes of the host can run does not help a cluster that never gets there."""
    facts = facts_from_json(host.facts)
    if pool is not None or pool_rules.is_dedicated(spec):
        return pools.facts_in([pool] if pool else [], facts)
    return pools.shared_facts(host, facts)


def _facts_of_changed(spec: ClusterSpec, cluster: VirtualCluster) -> HostFacts | None:
    """The same for another sandbox than it has; what it has stays as long as any node can run it."""
    facts = facts_from_json(cluster.host.facts)
    has = clusters.spec(cluster).sandbox or clusters.chosen_sandbox(cluster)
    return facts if spec.sandbox in {None, has} else pools.facts_for(cluster, facts)
