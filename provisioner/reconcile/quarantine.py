"""A cluster taken out of use: nothing starts, nothing runs, nothing is reached; what is stored stays.

First what starts pods is stopped, then what makes them, then the pods; then it is proved on the
host that none is left. Repeated as long as the quarantine lasts, it keeps it so.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Wait
from provisioner.ports import NETWORK_POLICIES, RESOURCE_QUOTAS
from provisioner.reconcile import limits, network, stopping
from provisioner.reconcile.stopping import LOOK
from tenancy.enums import Reason

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.reconcile.scope import Scope

GRACE: Final = 1
"""Seconds until a container is killed."""
ALONE: Final = timedelta(seconds=4)
"""For so long the control plane's end is waited for before the other pods are ended."""


def close(scope: Scope) -> Outcome:
    """Takes every way out and in, and lets no pod start: the quota counts none."""
    if not scope.stands:
        return Done()
    for body in network.policies(scope.desired):
        scope.apply(NETWORK_POLICIES, body)
    scope.apply(RESOURCE_QUOTAS, limits.closed(scope.desired))
    return Done()


def stop_pods(scope: Scope) -> Outcome:
    """At once: what is kept for an inquiry is what is stored."""
    return stopping.stop_pods(scope, most=GRACE, alone=ALONE)


def prove(scope: Scope) -> Outcome:
    """Read from the host at this moment."""
    if not scope.stands:
        return Done("nothing of it is on the host")
    if not _counted(scope):
        return Wait(LOOK, Reason.WAITING, "waiting for the host to count that no pod may start")
    if back := stopping.came_back(scope):
        return back
    return Done("no pod runs and none can start; its network is closed; volumes and objects are kept")


def _counted(scope: Scope) -> bool:
    """Whether the quota's controller goes by the zero already."""
    seen = scope.host.kube.get(RESOURCE_QUOTAS, limits.QUOTA, scope.desired.namespace)
    return bool((seen or {}).get("status", {}).get("hard", {}).get("pods") == "0")
