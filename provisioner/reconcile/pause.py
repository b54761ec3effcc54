"""A cluster that sleeps: nothing of it runs on its host, and what it stores is kept for its waking.

Helm is not asked: an upgrade would bring the control plane back. What the build sees of a control plane
without a pod wakes it (``control_plane``), whoever put it to sleep.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done
from provisioner.reconcile import stopping
from tenancy.enums import ConditionStatus, ConditionType

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.reconcile.scope import Scope

GRACE: Final = 60
"""Seconds at most from a pod's order to end until its containers are killed."""
ALONE: Final = timedelta(seconds=60)
"""For so long beyond its own time the control plane is waited for before the other pods are ended."""
WAKE: Final = "set spec.paused to false and it"
_NOT_THERE: Final = (
    ConditionType.CONTROL_PLANE_AVAILABLE,
    ConditionType.DNS_AVAILABLE,
    ConditionType.ACCESS_ISSUED,
)
"""What is false of a cluster that sleeps."""
_NOT_KNOWN: Final = (
    ConditionType.GUARD_RAILS_PROVEN,
    ConditionType.RELEASED,
    ConditionType.TRAFFIC_BLOCKED,
    ConditionType.SANDBOX_ENFORCED,
    ConditionType.ADD_ONS_APPLIED,
    ConditionType.ADD_ONS_READY,
)
"""What is proved anew when it wakes."""


def stop_pods(scope: Scope) -> Outcome:
    """Each pod ends in its own time, within ``GRACE``; those that a controller made come back when it wakes."""
    return stopping.stop_pods(scope, most=GRACE, alone=ALONE)


def prove(scope: Scope) -> Outcome:
    """Read from the host at this moment."""
    if back := stopping.came_back(scope):
        return back
    for kind in _NOT_THERE:
        scope.record.sleeps(kind, ConditionStatus.FALSE)
    for kind in _NOT_KNOWN:
        scope.record.sleeps(kind, ConditionStatus.UNKNOWN)
    scope.add_ons = ()
    if not scope.stands:
        return Done(f"nothing of it is on the host yet: {WAKE} is built")
    return Done(f"nothing of it runs, its objects and volumes are kept: {WAKE} wakes")
