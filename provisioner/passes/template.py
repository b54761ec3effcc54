"""Clusters that follow their template, some in each pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.outcomes import Done, Wait
from tenancy.actions import templates
from tenancy.enums import Reason

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.reconcile.holding import Holding
    from tenancy.actions.work import Lease


def run(lease: Lease, _: Holding) -> Outcome:
    """Again at once while more are left."""
    more = templates.follow(lease, lease.object_id)
    return Wait(0, Reason.WAITING, "more clusters follow their template") if more else Done()
