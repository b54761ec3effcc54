"""Ends what runs of a cluster on its host: the control plane first, then the other pods.

A syncer that sees the others go would take them out of what the tenant's API stores.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Wait
from provisioner.ports import PODS, STATEFUL_SETS
from provisioner.reconcile import labels, pods
from provisioner.reconcile.control_plane import replicas
from tenancy.enums import Reason
from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope

LOOK: Final = 0.3
DEFAULT_GRACE: Final = 30
"""Seconds that a pod which asks for none is given, as Kubernetes has it."""


def running(scope: Scope) -> list[Object]:
    """Pods in the namespace that have not run to their end."""
    return [p for p in scope.host.kube.find(PODS, scope.desired.namespace) if not pods.ended(p)]


def stop_control_plane(scope: Scope) -> Outcome:
    """No replica, whatever somebody made of that: with its pod the tenant's API, the syncer and every credential for it end."""
    seen = scope.host.kube.get(STATEFUL_SETS, RELEASE, scope.desired.namespace) if scope.stands else None
    if seen is not None and seen["spec"].get("replicas", 1) != 0:
        scope.host.kube.apply(STATEFUL_SETS, replicas(scope, 0))
    return Done()


def stop_pods(scope: Scope, *, most: int, alone: timedelta) -> Outcome:
    """Ends every pod in the namespace and waits until the nodes have ended them all.

    Each has the time that it asks for, but no more than ``most`` seconds; and ``alone`` after the control
    plane should have ended, nobody waits for it any longer.
    """
    found = running(scope) if scope.stands else []
    planes = [p for p in found if labels.SYNCED not in (p["metadata"].get("labels") or {})]
    first = any(not _told(plane, most) or _lately(scope, plane, alone) for plane in planes)
    for pod in planes if first else found:
        if not _told(pod, most):
            name, grace = pod["metadata"]["name"], _grace(pod, most)
            scope.host.kube.delete(PODS, name, scope.desired.namespace, grace=grace)
    if found:
        return Wait(LOOK, Reason.WAITING, f"waiting for {len(found)} pods to end on their nodes")
    return Done()


def came_back(scope: Scope) -> Wait | None:
    """A pod that runs though all were seen to end."""
    found = running(scope) if scope.stands else []
    if not found:
        return None
    name = found[0]["metadata"]["name"]
    return Wait(LOOK, Reason.WAITING, f"pod {name} came back: it is ended again")


def _grace(pod: Object, most: int) -> int:
    """Seconds, never 0: then the host forgets a pod before its node has ended it, and its absence proves nothing."""
    own = int(pod.get("spec", {}).get("terminationGracePeriodSeconds", DEFAULT_GRACE))
    return max(1, min(own, most))


def _told(pod: Object, most: int) -> bool:
    """Whether its node was told to end it within ``most`` seconds; somebody else's delete may leave it longer."""
    return labels.terminating(pod) and pod["metadata"].get("deletionGracePeriodSeconds", 0) <= most


def _lately(scope: Scope, pod: Object, alone: timedelta) -> bool:
    """Whether that was moments ago; where clocks disagree, nobody waits."""
    at = datetime.fromisoformat(pod["metadata"]["deletionTimestamp"])
    return abs(scope.now() - at) < alone
