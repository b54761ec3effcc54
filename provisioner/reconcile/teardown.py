"""The end of a cluster, backwards: release and with it the tenant's API, namespace, volumes; then the proof.

The host must answer first: absence cannot be proved from afar.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Permanent, Wait
from provisioner.ports import NAMESPACES, VOLUMES
from provisioner.reconcile import labels, release
from provisioner.reconcile.pods import shorten
from tenancy.enums import Reason

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope

log = logging.getLogger(__name__)
_LOOK: Final = 0.5
_SLOW: Final = 10.0


def uninstall(scope: Scope) -> Outcome:
    """Takes the tenant's API away, and with it every credential for it and everything the syncer made."""
    if not scope.stands or not release.revisions(scope):
        return Done()
    scope.guard.check()
    try:
        scope.host.helm.uninstall(scope.desired.namespace)
    except Permanent:
        # Whatever Helm cannot make sense of goes with the namespace.
        log.warning("helm could not uninstall %s: its namespace is deleted", scope.desired.namespace)
    return Done()


def clear(scope: Scope) -> Outcome:
    """Deletes the namespace with all that is left in it, and waits until it is gone."""
    seen, name = scope.namespace, scope.desired.namespace
    if seen is None or not scope.ours:
        return Done()
    if labels.terminating(seen):
        return Wait(_LOOK, Reason.RELEASING, f"waiting for namespace {name} to go{_remaining(seen)}")
    scope.host.kube.delete(NAMESPACES, name, uid=scope.incarnation)
    return Wait(_LOOK, Reason.RELEASING, f"waiting for namespace {name} to go")


def prove(scope: Scope) -> Outcome:
    """Nothing of the cluster is left on the host: no namespace, no volume bound to it."""
    claimed = [v for v in scope.host.kube.find(VOLUMES) if _claimed_by(v, scope.desired.namespace)]
    if claimed:
        return Wait(*_kept(claimed[0]))
    scope.gone = True
    return Done()


def _remaining(seen: Object) -> str:
    """What the host says still keeps it."""
    kept = {"NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure"}
    said = [
        c.get("message", "")
        for c in seen.get("status", {}).get("conditions", [])
        if c["type"] in kept and c["status"] == "True"
    ]
    return f": {shorten('; '.join(said))}" if said else ""


def _claimed_by(volume: Object, namespace: str) -> bool:
    claim = volume.get("spec", {}).get("claimRef") or {}
    return bool(claim.get("namespace") == namespace)


def _kept(volume: Object) -> tuple[float, Reason, str]:
    name, policy = volume["metadata"]["name"], volume["spec"].get("persistentVolumeReclaimPolicy")
    if policy == "Retain":
        message = f"volume {name} is kept by its reclaim policy Retain: an admin deletes it on the host"
        return _SLOW, Reason.RELEASING, message
    return _LOOK, Reason.RELEASING, f"waiting for volume {name} to go"
