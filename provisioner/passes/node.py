"""A pass over a node: towards its pool, or kept as its pool wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from provisioner.outcomes import Done
from provisioner.passes import world
from provisioner.reconcile.moving import passing
from provisioner.reconcile.moving.scope import NodeScope
from tenancy.actions import nodes
from tenancy.queries import nodes as known

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.reconcile.holding import Holding
    from tenancy.actions.work import Lease


def run(lease: Lease, held: Holding) -> Outcome:
    """One pass of its move, if it is on the move."""
    desired = known.desired(lease.object_id)
    if desired is None:
        return Done()
    uid = desired.uid
    scope = NodeScope(
        desired=desired,
        kube=world.hosts().open(desired.host, held).kube,
        guard=held,
        now=timezone.now,
        publish=lambda seen: nodes.record(lease, uid, seen),
        commit=lambda move: nodes.hand_over(lease, uid, move.uid),
    )
    return passing.reconcile(scope)
