"""What the provisioner saw: the only writer of conditions, phase and operation progress from the world."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from tenancy.actions import (
    allocations,
    audit,
    balances,
    conditions,
    events,
    findings,
    nodes,
    operations,
    progress,
    work,
)
from tenancy.actions.unit import atomic
from tenancy.enums import ConditionType, OperationState, Phase, WorkKind
from tenancy.models import HostCluster, Operation, VirtualCluster
from tenancy.queries import clusters
from tenancy.rules import add_on_states, drift
from tenancy.rules.lifecycle import summary
from tenancy.rules.specs import Observation, facts_to_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from tenancy.actions.work import Lease
    from tenancy.rules.conditions import Condition
    from tenancy.rules.specs import HostObservation

PROVISIONER = "provisioner"


@atomic
def record(lease: Lease, uid: UUID, seen: Observation) -> bool:
    """Merges what one pass saw; False (and nothing written) when the lease is lost."""
    if seen.gone:
        # Its devices go back to its tenant, whose row is locked before any cluster's.
        tenant = VirtualCluster.objects.filter(uid=uid).values_list("tenant_id", flat=True).first()
        balances.lock([], tenant)
    cluster = VirtualCluster.objects.select_for_update().filter(uid=uid).first()
    if not work.holds(lease):
        return False
    if cluster is None:
        return True
    if seen.gone:
        return _gone(cluster, seen)
    now = timezone.now()
    for condition in seen.conditions:
        if not _late(cluster, condition):
            conditions.merge(cluster, condition, now)
    _advance(cluster, seen, now)
    _progress(cluster, seen)
    return True


def note(uid: UUID, seen: Condition) -> None:
    """One condition that another pass than the cluster's owns; the caller holds that pass's lease."""
    cluster = VirtualCluster.objects.select_for_update().filter(uid=uid).first()
    if cluster is None:
        return
    now = timezone.now()
    conditions.merge(cluster, seen, now)
    _advance(cluster, Observation(conditions=()), now)


@atomic
def record_host(lease: Lease, uid: UUID, seen: HostObservation) -> bool:
    """What one look at a host saw; when it came, went or changed, its clusters are looked at at once."""
    if not work.holds(lease):
        return False
    # no_key: clusters may be put on it meanwhile, by those who hold the locks that recounting needs.
    host = HostCluster.objects.select_for_update(no_key=True).filter(uid=uid).first()
    if host is None:
        return True
    facts = facts_to_json(seen.facts) if seen.facts else host.facts
    news = host.reachable != seen.status or host.facts != facts
    HostCluster.objects.filter(pk=host.pk).update(
        reachable=seen.status,
        reason=seen.reason,
        message=seen.message,
        facts=facts,
        seen_at=timezone.now(),
        observed_generation=max(host.observed_generation, min(seen.generation, host.generation)),
    )
    if seen.nodes is not None:
        nodes.merge(host, seen.nodes)
        balances.recount_host(host)
    if seen.guard_rails is not None:
        HostCluster.objects.filter(pk=host.pk).update(guard_rails=drift.to_json(seen.guard_rails))
    if news:
        work.request_all(WorkKind.CLUSTER, host.clusters.values_list("uid", flat=True))
    return True


@atomic
def look_again(uids: Iterable[UUID]) -> int:
    """Asks for a pass over clusters whose guard rails do not look as they were left; how many."""
    return work.request_all(WorkKind.CLUSTER, uids)


def _advance(cluster: VirtualCluster, seen: Observation, now: datetime) -> None:
    """Summary, phase and observed generation, from one function and in one write."""
    known = clusters.conditions(cluster)
    available = summary(known, cluster.generation)
    conditions.merge(cluster, available, now)
    if seen.clean and not cluster.deleting and not cluster.quarantined:
        cluster.observed_generation = max(
            cluster.observed_generation, min(seen.generation, cluster.generation)
        )
        if available.true and cluster.first_ready_at is None:
            cluster.first_ready_at = now
    cluster.endpoint = seen.endpoint or cluster.endpoint
    cluster.sandbox = seen.sandbox or cluster.sandbox
    if seen.guard_rails is not None:
        cluster.guard_rails = drift.to_json(seen.guard_rails)
    if seen.add_ons is not None:
        cluster.add_ons = add_on_states.to_json(seen.add_ons)
    before, cluster.phase = cluster.phase, clusters.phase(cluster)
    seen_of_it = ["observed_generation", "first_ready_at", "endpoint", "guard_rails", "add_ons", "sandbox"]
    cluster.save(update_fields=[*seen_of_it, "phase"])
    events.phase_changed(cluster, before)


def _late(cluster: VirtualCluster, seen: Condition) -> bool:
    """A pass that began before the quarantine was lifted, or the cluster woken, must not bring that back."""
    if seen.type is ConditionType.QUARANTINED:
        return not cluster.quarantined
    return seen.type is ConditionType.PAUSED and seen.observed_generation < cluster.generation


def _progress(cluster: VirtualCluster, seen: Observation) -> None:
    """Carries the pass's steps into the running operation, and ends it when its end was seen."""
    operation = Operation.objects.filter(target_uid=cluster.uid, state=OperationState.RUNNING).first()
    if operation is None:
        return
    if seen.steps:
        operation.steps = progress.merged(operation.steps, seen.steps)
        operation.save(update_fields=["steps"])
    if cluster.phase in {Phase.READY, Phase.PAUSED}:
        operations.close(cluster.uid, OperationState.SUCCEEDED)
    stalled = next((c for c in seen.conditions if c.type is ConditionType.STALLED and c.true), None)
    if stalled is not None:
        operations.close(
            cluster.uid, OperationState.FAILED, code=stalled.reason.value, message=stalled.message
        )


def _gone(cluster: VirtualCluster, seen: Observation) -> bool:
    """Absence was proved on the host: the row goes, the operation and the audit row stay."""
    _progress(cluster, seen)
    operations.close(cluster.uid, OperationState.SUCCEEDED)
    tenant = cluster.tenant.name
    audit.note(
        actor=PROVISIONER,
        action="cluster.gone",
        tenant=tenant,
        target=f"cluster/{tenant}/{cluster.name}",
        uid=str(cluster.uid),
    )
    uid, owner = cluster.uid, cluster.tenant
    closed = findings.close_all(cluster)
    freed = allocations.release_all(cluster)
    cluster.delete()
    if freed or closed:  # its devices, or what a finding held back, are for the tenant's others
        allocations.settle(owner)
    work.forget(WorkKind.CLUSTER, uid)
    return True
