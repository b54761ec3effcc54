"""A cluster taken out of use: nothing starts, nothing runs, nothing is reached; what is stored stays.

First what starts pods is stopped, then what makes them, then the pods; then it is proved on the
host that none is left. Repeated as long as the quarantine lasts, it keeps it so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Wait
from provisioner.ports import NETWORK_POLICIES, PODS, RESOURCE_QUOTAS, STATEFUL_SETS
from provisioner.reconcile import labels, limits, network, pods
from provisioner.reconcile.control_plane import replicas
from tenancy.enums import Reason
from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope

GRACE: Final = 1
"""Seconds until a container is killed. Not 0: then the host forgets a pod before its node has ended it,
and that no pod is listed would prove nothing."""
ALONE: Final = timedelta(seconds=4)
"""For so long the control plane's end is waited for before the other pods are ended."""
_LOOK: Final = 0.3


def close(scope: Scope) -> Outcome:
    """Takes every way out and in, and lets no pod start: the quota counts none."""
    if not _ours(scope):
        return Done()
    for body in network.policies(scope.desired):
        scope.apply(NETWORK_POLICIES, body)
    scope.apply(RESOURCE_QUOTAS, limits.closed(scope.desired))
    return Done()


def stop_control_plane(scope: Scope) -> Outcome:
    """No replica: with its pod the tenant's API, the syncer and every credential for it end."""
    seen = scope.host.kube.get(STATEFUL_SETS, RELEASE, scope.desired.namespace) if _ours(scope) else None
    if seen is not None and seen["spec"].get("replicas", 1) != 0:
        scope.host.kube.apply(STATEFUL_SETS, replicas(scope, 0))
    return Done()


def stop_pods(scope: Scope) -> Outcome:
    """Ends every pod in the namespace and waits until the nodes have ended them all.

    The control plane's first, for some seconds alone: a syncer that sees the others go would
    take them out of what the tenant's API stores, and of what is kept for an inquiry.
    """
    if not _ours(scope):
        return Done()
    running = [p for p in _pods(scope) if not pods.ended(p)]
    planes = [p for p in running if labels.SYNCED not in (p["metadata"].get("labels") or {})]
    first = any(not _told(plane) or _lately(scope, plane) for plane in planes)
    for pod in planes if first else running:
        if not _told(pod):
            scope.host.kube.delete(PODS, pod["metadata"]["name"], scope.desired.namespace, grace=GRACE)
    if running:
        return Wait(_LOOK, Reason.WAITING, f"waiting for {len(running)} pods to end on their nodes")
    return Done()


def prove(scope: Scope) -> Outcome:
    """Read from the host at this moment."""
    if not _ours(scope):
        return Done("nothing of it is on the host")
    running = [p for p in _pods(scope) if not pods.ended(p)]
    if not _counted(scope):
        return Wait(_LOOK, Reason.WAITING, "waiting for the host to count that no pod may start")
    if running:
        return Wait(
            _LOOK, Reason.WAITING, f"pod {running[0]['metadata']['name']} came back: it is ended again"
        )
    return Done("no pod runs and none can start; its network is closed; volumes and objects are kept")


def _ours(scope: Scope) -> bool:
    seen = scope.namespace
    return seen is not None and labels.ours(scope.desired, seen) and not labels.terminating(seen)


def _counted(scope: Scope) -> bool:
    """Whether the quota's controller goes by the zero already."""
    seen = scope.host.kube.get(RESOURCE_QUOTAS, limits.QUOTA, scope.desired.namespace)
    return bool((seen or {}).get("status", {}).get("hard", {}).get("pods") == "0")


def _told(pod: Object) -> bool:
    """Whether its node was told to end it at once; a controller's own delete leaves it its long grace."""
    return labels.terminating(pod) and pod["metadata"].get("deletionGracePeriodSeconds", 0) <= GRACE


def _lately(scope: Scope, pod: Object) -> bool:
    """Whether that was moments ago; where clocks disagree, nobody waits."""
    at = datetime.fromisoformat(pod["metadata"]["deletionTimestamp"])
    return abs(scope.now() - at) < ALONE


def _pods(scope: Scope) -> list[Object]:
    return scope.host.kube.find(PODS, scope.desired.namespace)
