"""Reads of virtual clusters."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tenancy import policy
from tenancy.enums import (
    ConditionStatus,
    ConditionType,
    IsolationModel,
    OperationState,
    Permission,
    Phase,
    Reason,
    Sandbox,
    Trust,
)
from tenancy.errors import NotFound
from tenancy.models import ClusterCondition, Operation, VirtualCluster
from tenancy.queries import add_ons, findings, grants, hosts, pools, tenants
from tenancy.rules import add_on_states, drift, offers
from tenancy.rules import pools as pool_rules
from tenancy.rules.conditions import Condition
from tenancy.rules.lifecycle import derive_phase
from tenancy.rules.spec_parsing import parse_spec
from tenancy.rules.specs import (
    ClusterSpec,
    DesiredCluster,
    EffectiveSpec,
    PlacedCluster,
    facts_from_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.models import Tenant
    from tenancy.policy import Actor
    from tenancy.rules.add_on_states import AddOnState
    from tenancy.rules.drift import Established
    from tenancy.rules.specs import HostFacts


class Fact(NamedTuple):
    """A condition as it is told, with when its status last flipped."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int
    changed_at: datetime


def visible_to(actor: Actor, tenant: Tenant | None = None) -> QuerySet[VirtualCluster]:
    """The clusters an actor may see, of one tenant or of all, with their conditions; oldest first."""
    return listed(actor, tenant).prefetch_related("conditions")


def listed(actor: Actor, tenant: Tenant | None = None) -> QuerySet[VirtualCluster]:
    """The same without conditions, for those who read ``facts``."""
    rows = VirtualCluster.objects.filter(tenant__in=tenants.visible_to(actor))
    if tenant is not None:
        rows = rows.filter(tenant=tenant)
    # The host is prefetched: joined, its facts would come, and be read, once for each cluster.
    related = rows.select_related("tenant", "template_version__template").prefetch_related(
        "host", *pools.FOR_PLACEMENT
    )
    return related.order_by("created_at", "uid")


def get(actor: Actor, tenant_name: str, name: str) -> VirtualCluster:
    """One cluster; ``NotFound`` for unknown and foreign ones alike."""
    found = visible_to(actor).filter(tenant__name=tenant_name, name=name).first()
    if found is None:
        raise missing(tenant_name, name)
    policy.check(actor, Permission.CLUSTER_VIEW, found.tenant)
    return found


def missing(tenant_name: str, name: str) -> NotFound:
    """The same words for unknown and foreign."""
    return NotFound(f"there is no cluster {tenant_name}/{name}, or none that you may see")


def spec(cluster: VirtualCluster) -> ClusterSpec:
    """The stored spec as values, with its template filled in."""
    return parse_spec(json.loads(cluster.filled_text or cluster.spec_text))


def effective(cluster: VirtualCluster) -> EffectiveSpec | None:
    """What is really built; ``None`` while the host's facts are unknown or it offers no sandbox."""
    wish = spec(cluster)
    facts = _facts(cluster, wish)
    if facts is None:
        return None
    trust, chosen, pool = Trust(cluster.tenant.trust), chosen_sandbox(cluster), pools.of_cluster(cluster)
    offered = offers.offered_sandboxes(facts, trust, wish.model or IsolationModel.SHARED)
    wish = wish if chosen else pool_rules.sandbox_in(wish, pool, offered)
    found = offers.effective(wish, facts, trust, cluster.host.kubernetes_versions, chosen)
    return pool_rules.placed(found, pool, cluster.host.workload_selector) if found else None


def effective_values(cluster: VirtualCluster | None) -> dict[str, Any]:
    """What is in force, as a spec that is silent of nothing; empty while that cannot be told."""
    found = effective(cluster) if cluster else None
    if cluster is None or found is None:
        return {}
    return offers.written(found, spec(cluster))


def add_on_states_of(cluster: VirtualCluster) -> tuple[AddOnState, ...]:
    """Each add-on that is put into it, in its order, and whether it runs."""
    if "addOns" not in (cluster.filled_text or cluster.spec_text):
        return ()  # as of most: to parse the spec of each takes a list's time
    wish = spec(cluster)
    unknown = Reason.PAUSED if wish.paused else Reason.NOT_YET_REPORTED
    unknown = Reason.QUARANTINED if cluster.quarantined else unknown
    return add_on_states.told(wish.add_ons, add_on_states.from_json(cluster.add_ons), unknown)


def chosen_sandbox(cluster: VirtualCluster) -> Sandbox | None:
    """What was built last; ``None`` before."""
    return Sandbox(cluster.sandbox) if cluster.sandbox else None


def refusal(cluster: VirtualCluster) -> str:
    """Why the host does not offer the cluster's sandbox to this tenant now; empty when it does."""
    wanted, host = spec(cluster), cluster.host
    wanted = replace(wanted, sandbox=wanted.sandbox or chosen_sandbox(cluster))
    facts, trust = _facts(cluster, wanted), Trust(cluster.tenant.trust)
    faults = offers.sandbox_refusals(wanted, facts, trust, host.name) if facts else ()
    return "; ".join(fault.detail for fault in faults)


def _facts(cluster: VirtualCluster, wish: ClusterSpec) -> HostFacts | None:
    """What the host offers it.

    A choice still to be made is made among the nodes it can land on now; one that was made holds
    as long as any node of the host can run it.
    """
    facts = facts_from_json(cluster.host.facts)
    return facts if wish.sandbox or chosen_sandbox(cluster) else pools.facts_for(cluster, facts)


def facts(found: Iterable[VirtualCluster]) -> dict[UUID, list[Fact]]:
    """The conditions of each, in the vocabulary's order; plain values, for a page of 100 clusters has 2,000."""
    told: dict[UUID, list[Fact]] = {cluster.uid: [] for cluster in found}
    rows = ClusterCondition.objects.filter(cluster__in=list(told)).values_list("cluster_id", *Fact._fields)
    for uid, *values in rows:
        told[uid].append(Fact(*values))
    order = {kind.value: place for place, kind in enumerate(ConditionType)}
    return {uid: sorted(several, key=lambda fact: order[fact.type]) for uid, several in told.items()}


def conditions(cluster: VirtualCluster) -> tuple[Condition, ...]:
    """All conditions of a cluster, in the vocabulary's order."""
    order = list(ConditionType)
    found = (
        Condition(
            ConditionType(row.type),
            ConditionStatus(row.status),
            Reason(row.reason),
            row.message,
            row.observed_generation,
        )
        for row in cluster.conditions.all()
    )
    return tuple(sorted(found, key=lambda c: order.index(c.type)))


def phase(cluster: VirtualCluster) -> Phase:
    """The phase as the conditions have it now."""
    return derive_phase(
        conditions(cluster),
        generation=cluster.generation,
        observed_generation=cluster.observed_generation,
        ever_ready=cluster.first_ready_at is not None,
        deleting=cluster.deleting,
        quarantined=cluster.quarantined,
        paused=spec(cluster).paused,
    )


def running_operation(cluster: VirtualCluster) -> Operation | None:
    """The operation at work on it, if any."""
    return Operation.objects.filter(target_uid=cluster.uid, state=OperationState.RUNNING).first()


def phases(uids: Iterable[UUID]) -> dict[UUID, str]:
    """The phase of each cluster that still exists; for those who look often at many."""
    return dict(VirtualCluster.objects.filter(uid__in=list(uids)).values_list("uid", "phase"))


def placed(host_uid: UUID) -> tuple[PlacedCluster, ...]:
    """Everything that is, or is to be, on a host."""
    rows = VirtualCluster.objects.filter(host_id=host_uid).select_related("tenant", "host")
    rows = rows.prefetch_related(*pools.FOR_PLACEMENT)
    return tuple(
        PlacedCluster(
            tenant=row.tenant.name,
            cluster=row.name,
            namespace=row.namespace,
            trust=Trust(row.tenant.trust),
            selector=_selector(row),
        )
        for row in rows.order_by("created_at", "uid")
    )


def _selector(cluster: VirtualCluster) -> dict[str, str]:
    """Labels of the nodes its pods may be on."""
    built = effective(cluster)
    return dict(built.node_selector if built else cluster.host.workload_selector)


def desired(uid: UUID) -> DesiredCluster | None:
    """Everything a pass needs; ``None`` when the row is gone."""
    cluster = VirtualCluster.objects.select_related("tenant", "host", "pool__tenant").filter(uid=uid).first()
    return to_desired(cluster) if cluster else None


def to_desired(cluster: VirtualCluster) -> DesiredCluster:
    """The row as the provisioner knows it."""
    built = effective(cluster)
    return DesiredCluster(
        uid=cluster.uid,
        tenant=cluster.tenant.name,
        name=cluster.name,
        namespace=cluster.namespace,
        generation=cluster.generation,
        deleting=cluster.deleting,
        ever_ready=cluster.first_ready_at is not None,
        host=hosts.to_access(cluster.host),
        effective=built,
        refusal="" if built else refusal(cluster),
        conditions=conditions(cluster),
        endpoint=cluster.endpoint,
        trust=Trust(cluster.tenant.trust),
        quarantined=cluster.quarantined,
        paused=spec(cluster).paused,
        access_epoch=cluster.access_epoch,
        guard_rails=drift.from_json(cluster.guard_rails),
        drifted=findings.open_subjects(cluster.host.name, cluster.namespace),
        devices=grants.shares(cluster),
        add_ons=add_ons.wanted(built.add_ons) if built else (),
        add_ons_seen=add_on_states.from_json(cluster.add_ons),
        awaiting_approval=awaits_approval(cluster),
    )


def awaits_approval(cluster: VirtualCluster) -> bool:
    """Whether it asks for more devices than it has."""
    return any(
        c.type is ConditionType.APPROVED and c.status is ConditionStatus.FALSE for c in conditions(cluster)
    )


def guarded(host_uid: UUID) -> dict[UUID, tuple[str, dict[str, Established]]]:
    """Namespace and guard rails of each cluster of a host that has any and is to stay."""
    rows = VirtualCluster.objects.filter(host_id=host_uid, deletion_requested_at__isnull=True)
    found = rows.exclude(guard_rails={}).values_list("uid", "namespace", "guard_rails")
    return {uid: (namespace, drift.from_json(rails)) for uid, namespace, rails in found}
