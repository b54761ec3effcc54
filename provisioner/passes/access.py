"""A kubeconfig that somebody waits for: minted and handed over, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from provisioner.outcomes import Done
from provisioner.passes import world
from provisioner.reconcile import handover
from tenancy.actions import access
from tenancy.queries import access as wishes

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.reconcile.holding import Holding
    from tenancy.actions.work import Lease


def run(lease: Lease, held: Holding) -> Outcome:
    """Answers the wish, once."""
    wish = wishes.desired(lease.object_id)
    if wish is None:
        return Done()
    minted = handover.mint(wish, world.hosts(), world.tenants(), held, timezone.now())
    if isinstance(minted, handover.Minted):
        access.hand_over(lease, wish.uid, kubeconfig=minted.kubeconfig, expires_at=minted.expires_at)
    else:
        access.refuse(lease, wish.uid, minted.message)
    return Done()
