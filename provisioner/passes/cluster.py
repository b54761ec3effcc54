"""A pass over a virtual cluster: the engine over the stages that fit what is wanted of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from provisioner import config
from provisioner.outcomes import Done, LeaseLost
from provisioner.passes import world
from provisioner.reconcile import engine, stages
from provisioner.reconcile.scope import Scope
from tenancy.actions import allocations, observations
from tenancy.queries import calendar, clusters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.outcomes import Outcome
    from provisioner.reconcile.holding import Holding
    from tenancy.actions.work import Lease
    from tenancy.grant_enums import Rung
    from tenancy.rules.specs import DesiredCluster, DeviceShare, Observation


def run(lease: Lease, held: Holding) -> Outcome:
    """Nothing while it waits for approval, unless it holds devices that have to come back."""
    desired = clusters.desired(lease.object_id)
    if desired is None:
        return Done()
    beside = stages.beside(desired)
    if desired.waits_for_approval and not beside:
        return Done()
    return engine.reconcile(_scope(desired, lease, held), stages.of(desired), beside=beside)


def _scope(desired: DesiredCluster, lease: Lease, held: Holding) -> Scope:
    def publish(seen: Observation) -> None:
        if not observations.record(lease, desired.uid, seen):
            msg = f"what was seen of {desired.namespace} came too late: the lease is lost"
            raise LeaseLost(msg)

    def stepped(share: DeviceShare, rung: Rung, evidence: Mapping[str, Any], left: int) -> None:
        if not allocations.stepped(lease, desired.uid, share, rung, evidence, left):
            msg = f"{rung} of {share.key} in {desired.namespace} came too late: the lease is lost"
            raise LeaseLost(msg)

    return Scope(
        desired=desired,
        hosts=world.hosts(),
        tenants=world.tenants(),
        guard=held,
        memory=world.memory(),
        chart=config.CHART,
        now=timezone.now,
        pause=time.sleep,
        publish=publish,
        findings=world.LeasedFindings(lease),
        calendar=calendar.now,
        stepped=stepped,
    )
