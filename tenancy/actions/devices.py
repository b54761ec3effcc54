"""What accelerators mean for a cluster that is made, changed or deleted: locks, place, refusals, and what follows."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import OperationalError

from tenancy.actions import allocations, balances, cluster_requests
from tenancy.actions.unit import atomic
from tenancy.enums import Trust
from tenancy.errors import FieldError
from tenancy.models import Allocation, Grant, GrantRequest, Tenant, VirtualCluster
from tenancy.queries import accelerators, advisories, clusters, pools
from tenancy.rules import accelerators as rules
from tenancy.rules import gpu
from tenancy.rules import pools as pool_rules
from tenancy.rules.requests import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenancy.enums import GpuVerdict, Sandbox
    from tenancy.models import HostCluster, NodePool
    from tenancy.policy import Actor
    from tenancy.rules.specs import ClusterSpec, HostFacts

log = logging.getLogger(__name__)


def lock(tenant: Tenant) -> None:
    """Locks what devices are decided under, before any cluster's row; nothing where there are no classes."""
    known = list(accelerators.all_())
    if known:
        own = pools.of_tenant(tenant).values_list("pk", flat=True)
        at_once = balances.deciding_at_once(tenant, known)
        balances.lock([*own, *(pool.pk for pool in at_once)], tenant.pk)


def concern(spec: ClusterSpec | None, cluster: VirtualCluster | None) -> bool:
    """Whether devices are in question, now that what decides it is locked."""
    return bool(spec and spec.accelerators) or (cluster is not None and _involved(cluster))


def place(spec: ClusterSpec, tenant: Tenant) -> NodePool | None:
    """The shared pool for a cluster with accelerators: one that has them all, best one with a grant; ``None`` for none."""
    if not spec.accelerators or pool_rules.is_dedicated(spec):
        return None
    wanted = list(accelerators.all_().filter(key__in=spec.accelerators))
    if len(wanted) < len(spec.accelerators):
        return None
    able = [
        pool
        for pool in accelerators.pools_with(wanted[0], tenant)
        if pool.host.accepts_clusters
        and pool.tenant_id is None
        and all(accelerators.has(pool, one) for one in wanted)
    ]
    granted = set(
        Grant.objects.filter(tenant=tenant, accelerator__in=wanted, ended_at=None).values_list(
            "pool", flat=True
        )
    )
    return min(able, key=lambda pool: pool.pk not in granted, default=None)


def refusals(
    spec: ClusterSpec,
    pool: NodePool | None,
    facts: HostFacts | None,
    sandbox: Sandbox | None,
    cluster: VirtualCluster | None,
    tenant: Tenant,
    host: HostCluster,
) -> Iterator[FieldError]:
    """Why this tenant cannot have these accelerators there, whatever were granted; each with the fix.

    What is offered no more may be kept by a cluster that asks for it already, or asked for less.
    """
    has = clusters.spec(cluster).accelerators if cluster else {}
    known = {
        key: replace(one, offered=one.offered or spec.accelerators.get(key, 0) <= has.get(key, 0))
        for key, one in accelerators.catalogue().items()
    }
    faults = list(rules.refusals(spec.accelerators, known, facts, sandbox, host.name))
    yield from faults
    if not spec.accelerators or faults:
        return
    rows = {row.key: row for row in accelerators.all_()}
    absent = [key for key in spec.accelerators if pool is None or not accelerators.has(pool, rows[key])]
    if pool is None or absent:
        where = (
            f"pool {pool.name!r}" if pool else f"a node pool of host {host.name!r} that the cluster may use"
        )
        detail = f"{where} has no {', '.join(absent)}: leave it out, or ask an admin to put such nodes there"
        yield FieldError("spec.accelerators", "not-offered", detail)
        return
    resources = [known[key].resource for key in spec.accelerators]
    yield from gpu.refusals(resources, _verdicts(pool), Trust(tenant.trust), host.name)


def settled(by: Actor | None, tenant: Tenant, cluster: VirtualCluster, *, concerned: bool) -> None:
    """Gives what is granted, and asks for what is not; a cluster without accelerators needs nobody's approval.

    ``by`` is None for a cluster that follows its template: nobody is asked.
    """
    if not concerned:
        allocations.needs_none(cluster)
        return
    books = allocations.settle(tenant)
    cluster_requests.for_clusters(by, books, cluster)
    cluster.refresh_from_db()


def ask_in_turn() -> int:
    """Makes the requests that clusters could not, while another one of their team was open; for how many teams it was tried."""
    wishing = VirtualCluster.objects.exclude(unasked={}).filter(tenant__suspended=False)
    waits = set(GrantRequest.objects.filter(state__in=OPEN).values_list("tenant", "accelerator"))
    turn = {
        tenant
        for tenant, unasked in wishing.values_list("tenant", "unasked")
        if any((tenant, UUID(key)) not in waits for key in unasked)
    }
    for tenant in turn:
        try:
            _ask_in_turn(tenant)
        except OperationalError:
            raise  # the database itself: the others would fare no better
        except Exception:
            log.exception("tenant %s: what its clusters wish for could not be asked for; tried again", tenant)
    return len(turn)


@atomic
def _ask_in_turn(uid: UUID) -> None:
    tenant = Tenant.objects.get(pk=uid)
    lock(tenant)
    cluster_requests.in_turn(allocations.settle(tenant))


def _involved(cluster: VirtualCluster) -> bool:
    """Whether it asks for devices, or has any."""
    asks = bool(clusters.spec(cluster).accelerators)
    return asks or Allocation.objects.filter(cluster=cluster, released_at=None).exists()


def _verdicts(pool: NodePool) -> dict[str, list[GpuVerdict]]:
    """By resource: what is to be thought of the GPU software of each of the pool's nodes that has it."""
    found: dict[str, list[GpuVerdict]] = {}
    known = advisories.load()
    for node in accelerators.nodes_of(pool):
        if node.gpu is not None:
            verdict = gpu.judge(node.gpu, known).verdict
            for resource in node.resources:
                found.setdefault(resource, []).append(verdict)
    return found
