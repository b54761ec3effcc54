"""What people do to virtual clusters: each verb writes the wish, the operation, the audit row and the work."""

from __future__ import annotations

import json
import uuid
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from tenancy import policy
from tenancy.actions import (
    asleep,
    audit,
    conditions,
    devices,
    events,
    foresight,
    operations,
    placement,
    work,
)
from tenancy.actions.unit import atomic
from tenancy.enums import (
    ConditionStatus,
    ConditionType,
    OperationKind,
    Permission,
    Phase,
    Reason,
    WorkKind,
)
from tenancy.errors import (
    BeingDeleted,
    Conflict,
    InQuarantine,
    Invalid,
    Protected,
)
from tenancy.models import ClusterCondition, VirtualCluster
from tenancy.queries import clusters, templates, tenants
from tenancy.rules import pools as pool_rules
from tenancy.rules import preconditions
from tenancy.rules.conditions import Condition
from tenancy.rules.names import CLUSTER_MAX, host_namespace, name_errors
from tenancy.rules.preconditions import ANYTHING, Expectation, meet
from tenancy.rules.spec_parsing import parse_spec
from tenancy.rules.wishes import differences

if TYPE_CHECKING:
    from uuid import UUID

    from tenancy.actions.foresight import DevicePlan
    from tenancy.models import NodePool, Operation, Tenant
    from tenancy.policy import Actor
    from tenancy.queries.templates import Filled


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
    effective: tuple[tuple[str, Any, Any], ...] = ()
    """Path, old value, new value of each effective value that would differ."""
    template: Filled | None = None
    """What the spec came to, with the version of its template."""


@dataclass(frozen=True)
class _Wish:
    """A write that may be, with what it is decided under locked."""

    tenant: Tenant
    cluster: VirtualCluster | None
    filled: Filled
    concerned: bool
    """Whether accelerators are in question."""


def etag(cluster: VirtualCluster) -> str:
    """The tag of its spec."""
    return preconditions.etag(cluster.uid, cluster.generation)


@atomic
def put(
    *, by: Actor, tenant_name: str, name: str, spec_text: str, expect: Expectation = ANYTHING
) -> PutResult:
    """Creates or replaces; an equal spec changes nothing and opens no operation."""
    wish = _prepare(by, tenant_name, name, spec_text)
    cluster, spec = wish.cluster, wish.filled.spec
    meet(expect, etag(cluster) if cluster else None)
    if cluster is None:
        done = _create(by, wish.tenant, name, spec_text, wish.filled)
    else:
        pool = placement.pool_for(spec, cluster.host, wish.tenant, cluster)
        if json.loads(cluster.spec_text) == json.loads(spec_text):
            return PutResult(cluster, clusters.running_operation(cluster))
        done = change(by.name, cluster, spec_text, wish.filled, pool)
    devices.settled(by, wish.tenant, done.cluster, concerned=wish.concerned)
    return done


@atomic
def plan(*, by: Actor, tenant_name: str, name: str, spec_text: str, expect: Expectation = ANYTHING) -> Plan:
    """What ``put`` would do, with the same checks and no effect."""
    wish = _prepare(by, tenant_name, name, spec_text)
    cluster, filled = wish.cluster, wish.filled
    meet(expect, etag(cluster) if cluster else None)
    host = cluster.host if cluster else placement.pick_host(filled.spec, wish.tenant)
    pool = placement.pool_for(filled.spec, host, wish.tenant, cluster)
    quota = foresight.foresee(filled.spec, pool, wish.tenant, cluster)
    before, after = json.loads(cluster.spec_text) if cluster else None, json.loads(spec_text)
    told = filled if filled.version else None
    if before == after:
        return Plan("none", host.name, (), quota, template=told)
    foresight.check_asking(by, wish.tenant, pool, quota)
    action = "create" if before is None else "update"
    planned = copy(cluster) if cluster else VirtualCluster(tenant=wish.tenant, host=host, name=name)
    _take(planned, spec_text, filled, pool if cluster is None or filled.spec.accelerators else None)
    effective = differences(clusters.effective_values(cluster), clusters.effective_values(planned), "")
    return Plan(action, host.name, differences(before or {}, after), quota, effective, told)


@atomic
def delete(*, by: Actor, tenant_name: str, name: str, expect: Expectation = ANYTHING) -> PutResult:
    """Asks for the end of a cluster; asked again it changes nothing."""
    cluster = clusters.get(by, tenant_name, name)
    policy.check(by, Permission.CLUSTER_WRITE, cluster.tenant)
    devices.lock(cluster.tenant)
    cluster = locked(cluster.pk)
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
    done = _wished(by.name, "cluster.delete", cluster, operation)
    if concerned:
        devices.settled(by, cluster.tenant, cluster, concerned=True)
    return done


@atomic
def retry(*, by: Actor, tenant_name: str, name: str) -> PutResult:
    """Lets a stalled cluster try again at once."""
    cluster = clusters.get(by, tenant_name, name)
    policy.check(by, Permission.CLUSTER_WRITE, cluster.tenant)
    cluster = locked(cluster.pk)
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
    return _wished(by.name, "cluster.retry", cluster, operations.open_(cluster, kind, by.name))


def change(
    by: str, cluster: VirtualCluster, spec_text: str, filled: Filled, pool: NodePool | None, **facts: object
) -> PutResult:
    """Gives a locked cluster another wish: its own, or its template's."""
    before, theirs, phase = json.loads(cluster.spec_text), _filled(cluster), cluster.phase
    slept = clusters.spec(cluster).paused
    # Its devices are there, so it stays there.
    _take(cluster, spec_text, filled, pool if filled.spec.accelerators else None)
    cluster.generation += 1
    _clear_stall(cluster)
    if slept != filled.spec.paused:
        asleep.turned(by, cluster, filled.spec)
    cluster.phase = clusters.phase(cluster)
    # Whether its template has something newer for it is asked anew.
    followed = Condition(
        ConditionType.TEMPLATE_FOLLOWED, ConditionStatus.TRUE, Reason.AS_WANTED, "", cluster.generation
    )
    conditions.merge(cluster, followed, timezone.now())
    written = ["spec_text", "filled_text", "template_version", "generation", "phase", "pool"]
    cluster.save(update_fields=written)
    events.phase_changed(cluster, phase)
    kind = OperationKind.UPDATE if cluster.first_ready_at else OperationKind.CREATE
    operation = operations.open_(cluster, kind, by)
    found = differences(before, json.loads(spec_text)) or differences(theirs, _filled(cluster))
    changes = {path: {"from": old, "to": new} for path, old, new in found}
    return _wished(by, "cluster.update", cluster, operation, changes=changes, **facts)


def locked(uid: UUID) -> VirtualCluster:
    """The row under lock: two editors at once are decided one after the other."""
    rows = VirtualCluster.objects.select_for_update(of=("self",))
    return rows.select_related("tenant", "host", "template_version__template").get(pk=uid)


def _prepare(by: Actor, tenant_name: str, name: str, spec_text: str) -> _Wish:
    tenant = tenants.get(by, tenant_name)
    policy.check(by, Permission.CLUSTER_WRITE, tenant)
    faults = name_errors("metadata.name", name, longest=CLUSTER_MAX)
    if faults:
        raise Invalid(faults[0].detail, errors=faults)
    parse_spec(json.loads(spec_text))
    devices.lock(tenant)
    found = VirtualCluster.objects.filter(tenant=tenant, name=name).first()
    cluster = locked(found.pk) if found else None
    if cluster is not None and cluster.deleting:
        msg = f"{cluster} is being deleted: wait until it is gone (404), then create it anew"
        raise BeingDeleted(msg)
    if cluster is not None:
        _refuse_quarantined(cluster)
    filled = templates.fill(tenant, spec_text, cluster)
    return _Wish(tenant, cluster, filled, devices.concern(filled.spec, cluster))


def _create(by: Actor, tenant: Tenant, name: str, spec_text: str, filled: Filled) -> PutResult:
    host = placement.pick_host(filled.spec, tenant)
    pool = placement.pool_for(filled.spec, host, tenant)
    if pool is None and pool_rules.is_dedicated(filled.spec):
        msg = "the tenant's node pools have just changed: ask again"
        raise Conflict(msg)
    uid = uuid.uuid4()
    cluster = VirtualCluster(
        uid=uid,
        tenant=tenant,
        host=host,
        name=name,
        namespace=host_namespace(tenant.name, name, uid),
        created_by=by.name,
    )
    _take(cluster, spec_text, filled, pool)
    cluster.save(force_insert=True)
    _begin_conditions(cluster)
    operation = operations.open_(cluster, OperationKind.CREATE, by.name)
    facts: dict[str, object] = {"host": host.name, "spec": json.loads(spec_text)}
    if filled.version:
        facts["template"] = str(filled.version)
    result = _wished(by.name, "cluster.create", cluster, operation, **facts)
    return PutResult(result.cluster, operation, created=True, changed=True)


def _take(cluster: VirtualCluster, spec_text: str, filled: Filled, pool: NodePool | None) -> None:
    cluster.spec_text, cluster.filled_text = spec_text, filled.text
    cluster.template_version = filled.version
    cluster.pool = cluster.pool or pool


def _filled(cluster: VirtualCluster) -> Any:  # noqa: ANN401 - JSON
    return json.loads(cluster.filled_text or cluster.spec_text)


def _wished(
    by: str, action: str, cluster: VirtualCluster, operation: Operation, **facts: object
) -> PutResult:
    tenant = cluster.tenant.name
    audit.note(
        actor=by,
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
    negative = {
        ConditionType.STALLED,
        ConditionType.DELETING,
        ConditionType.QUARANTINED,
        ConditionType.PAUSED,
    }
    if kind in {ConditionType.DEVICES_SETTLED, ConditionType.TEMPLATE_FOLLOWED}:
        return (
            ConditionStatus.TRUE
        )  # what was never given is not on its way back, and nothing newer was refused
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
