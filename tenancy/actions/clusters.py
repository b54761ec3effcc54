"""What people do to virtual clusters: each verb writes the wish, the operation, the audit row and the work."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from tenancy import policy
from tenancy.actions import audit, devices, events, foresight, operations, work
from tenancy.actions.unit import atomic
from tenancy.enums import (
    ConditionStatus,
    ConditionType,
    IsolationModel,
    OperationKind,
    Permission,
    Phase,
    Reason,
    Trust,
    WorkKind,
)
from tenancy.errors import (
    BeingDeleted,
    Conflict,
    InQuarantine,
    Invalid,
    Protected,
    refuse,
)
from tenancy.models import ClusterCondition, VirtualCluster
from tenancy.queries import clusters, hosts, pools, tenants
from tenancy.rules import offers, preconditions
from tenancy.rules import pools as pool_rules
from tenancy.rules.names import CLUSTER_MAX, host_namespace, name_errors
from tenancy.rules.preconditions import ANYTHING, Expectation, meet
from tenancy.rules.spec_parsing import parse_spec
from tenancy.rules.specs import facts_from_json
from tenancy.rules.wishes import differences

if TYPE_CHECKING:
    from tenancy.actions.foresight import DevicePlan
    from tenancy.models import HostCluster, NodePool, Operation, Tenant
    from tenancy.policy import Actor
    from tenancy.rules.specs import ClusterSpec, HostFacts


@dataclass(frozen=True)
class PutResult:
    """What a write did."""

    cluster: VirtualCluster
    operation: Operation | None
    created: bool = False
    changed: bool = False


@dataclass(frozen=True)
class Plan:
    """What a write would do."""

    action: str
    """``create``, ``update`` or ``none``."""
    host: str
    changes: tuple[tuple[str, Any, Any], ...] = field(default_factory=tuple)
    """Path, old value, new value of each spec field that differs."""
    accelerators: tuple[DevicePlan, ...] = ()
    """Of each class: within the grant or not, who has to agree, and whether there are as many."""


def etag(cluster: VirtualCluster) -> str:
    """The tag of its spec."""
    return preconditions.etag(cluster.uid, cluster.generation)


@atomic
def put(
    *, by: Actor, tenant_name: str, name: str, spec_text: str, expect: Expectation = ANYTHING
) -> PutResult:
    """Creates or replaces; an equal spec changes nothing and opens no operation."""
    tenant, cluster, spec, concerned = _prepare(by, tenant_name, name, spec_text)
    meet(expect, etag(cluster) if cluster else None)
    if cluster is None:
        done = _create(by, tenant, name, spec_text, spec)
    else:
        pool = _refuse_refused(spec, cluster.host, tenant, cluster)
        if json.loads(cluster.spec_text) == json.loads(spec_text):
            return PutResult(cluster, clusters.running_operation(cluster))
        if spec.accelerators and cluster.pool is None:
            cluster.pool = pool  # its devices are there, so it stays there
        done = _change(by, cluster, spec_text)
    devices.settled(by, tenant, done.cluster, concerned=concerned)
    return done


@atomic
def plan(*, by: Actor, tenant_name: str, name: str, spec_text: str, expect: Expectation = ANYTHING) -> Plan:
    """What ``put`` would do, with the same checks and no effect."""
    tenant, cluster, spec, _ = _prepare(by, tenant_name, name, spec_text)
    meet(expect, etag(cluster) if cluster else None)
    host = cluster.host if cluster else _pick_host(spec, tenant)
    pool = _refuse_refused(spec, host, tenant, cluster)
    quota = foresight.foresee(spec, pool, tenant, cluster)
    before, after = json.loads(cluster.spec_text) if cluster else None, json.loads(spec_text)
    if before == after:
        return Plan("none", host.name, (), quota)
    foresight.check_asking(by, tenant, quota)
    action = "create" if before is None else "update"
    return Plan(action, host.name, differences(before or {}, after), quota)


@atomic
def delete(*, by: Actor, tenant_name: str, name: str, expect: Expectation = ANYTHING) -> PutResult:
    """Asks for the end of a cluster; asked again it changes nothing."""
    cluster = clusters.get(by, tenant_name, name)
    policy.check(by, Permission.CLUSTER_WRITE, cluster.tenant)
    devices.lock(cluster.tenant)
    cluster = _locked(cluster)
    concerned = devices.concern(None, cluster)
    meet(expect, etag(cluster))
    if cluster.deleting:
        return PutResult(cluster, clusters.running_operation(cluster))
    if not policy.allows(by, Permission.CLUSTER_QUARANTINE, cluster.tenant):
        _refuse_quarantined(cluster)
    if clusters.spec(cluster).deletion_protection:
        msg = f"{cluster} is protected: set spec.deletionProtection to false first"
        raise Protected(msg)
    cluster.deletion_requested_at, cluster.deletion_requested_by = timezone.now(), by.name
    before, cluster.phase = cluster.phase, Phase.DELETING
    cluster.save(update_fields=["deletion_requested_at", "deletion_requested_by", "phase"])
    events.phase_changed(cluster, before)
    _clear_stall(cluster)
    operation = operations.open_(cluster, OperationKind.DELETE, by.name)
    done = _wished(by, "cluster.delete", cluster, operation)
    if concerned:
        devices.settled(by, cluster.tenant, cluster, concerned=True)
    return done


@atomic
def retry(*, by: Actor, tenant_name: str, name: str) -> PutResult:
    """Lets a stalled cluster try again at once."""
    cluster = clusters.get(by, tenant_name, name)
    policy.check(by, Permission.CLUSTER_WRITE, cluster.tenant)
    cluster = _locked(cluster)
    _refuse_quarantined(cluster)
    if not _clear_stall(cluster):
        work.request(WorkKind.CLUSTER, cluster.uid)
        return PutResult(cluster, clusters.running_operation(cluster))
    kind = OperationKind.DELETE if cluster.deleting else OperationKind.UPDATE
    if cluster.first_ready_at is None and not cluster.deleting:
        kind = OperationKind.CREATE
    before, cluster.phase = cluster.phase, clusters.phase(cluster)
    cluster.save(update_fields=["phase"])
    events.phase_changed(cluster, before)
    return _wished(by, "cluster.retry", cluster, operations.open_(cluster, kind, by.name))


def _prepare(
    by: Actor, tenant_name: str, name: str, spec_text: str
) -> tuple[Tenant, VirtualCluster | None, ClusterSpec, bool]:
    """Also whether accelerators are in question: then what they are decided under is locked."""
    tenant = tenants.get(by, tenant_name)
    policy.check(by, Permission.CLUSTER_WRITE, tenant)
    faults = name_errors("metadata.name", name, longest=CLUSTER_MAX)
    if faults:
        raise Invalid(faults[0].detail, errors=faults)
    spec = parse_spec(json.loads(spec_text))
    devices.lock(tenant)
    found = VirtualCluster.objects.filter(tenant=tenant, name=name).first()
    cluster = _locked(found) if found else None
    if cluster is not None and cluster.deleting:
        msg = f"{cluster} is being deleted: wait until it is gone (404), then create it anew"
        raise BeingDeleted(msg)
    if cluster is not None:
        _refuse_quarantined(cluster)
    return tenant, cluster, spec, devices.concern(spec, cluster)


def _create(by: Actor, tenant: Tenant, name: str, spec_text: str, spec: ClusterSpec) -> PutResult:
    host = _pick_host(spec, tenant)
    pool = _refuse_refused(spec, host, tenant)
    if pool is None and pool_rules.is_dedicated(spec):
        msg = "the tenant's node pools have just changed: ask again"
        raise Conflict(msg)
    uid = uuid.uuid4()
    cluster = VirtualCluster.objects.create(
        uid=uid,
        tenant=tenant,
        host=host,
        pool=pool,
        name=name,
        namespace=host_namespace(tenant.name, name, uid),
        spec_text=spec_text,
        created_by=by.name,
    )
    _begin_conditions(cluster)
    operation = operations.open_(cluster, OperationKind.CREATE, by.name)
    result = _wished(by, "cluster.create", cluster, operation, host=host.name, spec=json.loads(spec_text))
    return PutResult(result.cluster, operation, created=True, changed=True)


def _change(by: Actor, cluster: VirtualCluster, spec_text: str) -> PutResult:
    before, phase = json.loads(cluster.spec_text), cluster.phase
    cluster.spec_text = spec_text
    cluster.generation += 1
    _clear_stall(cluster)
    cluster.phase = clusters.phase(cluster)
    cluster.save(update_fields=["spec_text", "generation", "phase", "pool"])
    events.phase_changed(cluster, phase)
    kind = OperationKind.UPDATE if cluster.first_ready_at else OperationKind.CREATE
    operation = operations.open_(cluster, kind, by.name)
    found = differences(before, json.loads(spec_text))
    changes = {path: {"from": old, "to": new} for path, old, new in found}
    return _wished(by, "cluster.update", cluster, operation, changes=changes)


def _wished(
    by: Actor, action: str, cluster: VirtualCluster, operation: Operation, **facts: object
) -> PutResult:
    tenant = cluster.tenant.name
    audit.note(
        actor=by.name,
        action=action,
        tenant=tenant,
        target=f"cluster/{tenant}/{cluster.name}",
        uid=str(cluster.uid),
        generation=cluster.generation,
        **facts,
    )
    work.request(WorkKind.CLUSTER, cluster.uid)
    return PutResult(cluster, operation, changed=True)


def _begin_conditions(cluster: VirtualCluster) -> None:
    """All conditions exist from the start, so that a missing one never reads as fine."""
    now = timezone.now()
    ClusterCondition.objects.bulk_create(
        ClusterCondition(
            cluster=cluster,
            type=kind,
            status=_first_status(kind),
            reason=Reason.NOT_YET_REPORTED,
            changed_at=now,
        )
        for kind in ConditionType
    )


def _first_status(kind: ConditionType) -> ConditionStatus:
    negative = {ConditionType.STALLED, ConditionType.DELETING, ConditionType.QUARANTINED}
    if kind is ConditionType.DEVICES_SETTLED:
        return ConditionStatus.TRUE  # what was never given is not on its way back
    return ConditionStatus.FALSE if kind in negative else ConditionStatus.UNKNOWN


def _clear_stall(cluster: VirtualCluster) -> bool:
    """A new wish deserves a new try; True when the cluster was stalled."""
    stalled = ClusterCondition.objects.filter(
        cluster=cluster, type=ConditionType.STALLED, status=ConditionStatus.TRUE
    )
    return bool(
        stalled.update(
            status=ConditionStatus.FALSE,
            reason=Reason.NOT_YET_REPORTED,
            message="",
            changed_at=timezone.now(),
        )
    )


def _refuse_quarantined(cluster: VirtualCluster) -> None:
    """What is kept for an inquiry is changed by nobody, and deleted by admins only."""
    if cluster.quarantined:
        msg = f"{cluster} is in quarantine since {cluster.quarantined_at:%Y-%m-%d %H:%M} UTC: an admin lifts it first"
        raise InQuarantine(msg)


def _locked(cluster: VirtualCluster) -> VirtualCluster:
    """The row under lock: two editors at once are decided one after the other."""
    return (
        VirtualCluster.objects.select_for_update(of=("self",))
        .select_related("tenant", "host")
        .get(pk=cluster.pk)
    )


def _pick_host(spec: ClusterSpec, tenant: Tenant) -> HostCluster:
    placed = devices.place(spec, tenant)
    host = placed.host if placed else hosts.pick(pools_of=tenant if pool_rules.is_dedicated(spec) else None)
    if host is None:
        msg = "no host cluster takes new clusters: an admin registers one (PUT /api/v1/hosts/NAME)"
        raise Conflict(msg)
    return host


def _refuse_refused(
    spec: ClusterSpec, host: HostCluster, tenant: Tenant, cluster: VirtualCluster | None = None
) -> NodePool | None:
    """The pool that it runs on, its tenant's under lock; ``None`` for whichever all share. ``Invalid`` if it cannot be had."""
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
