"""What tenants have on a node, read from the host: pods, and volumes that are bound to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Wait
from provisioner.ports import CLAIMS, NAMESPACES, PODS, VOLUMES, Refused
from provisioner.reconcile.nodes import facts
from tenancy.enums import Reason
from tenancy.rules.names import RELEASE, is_tenants

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.moving.scope import NodeScope

STORE: Final = f"data-{RELEASE}-0"
"""The claim that keeps a tenant's API objects."""
_LOOK: Final = 1.0
_SLOW: Final = 10.0


def pods_gone(scope: NodeScope) -> Outcome:
    """The fence makes the host evict them; they are gone when their node's kubelet says so.

    A tenant's namespace that no cluster of ours has is not looked into: the wipe, which sees
    every container on the node, ends badly for it.
    """
    found = [pod for namespace in scope.desired.namespaces for pod in _pods(scope, namespace)]
    if not found:
        return Done("no pod of a tenant is on it")
    names = ", ".join(f"{p['metadata']['namespace']}/{p['metadata']['name']}" for p in found[:3])
    message = f"waiting for {len(found)} pods of tenants to end: {names}"
    if facts(scope.node).ready:
        return Wait(_LOOK, Reason.RELEASING, message)
    message = f"{message}; the node does not answer: bring it back, or delete it on the host if it is lost"
    return Wait(_SLOW, Reason.RELEASING, message)


def volumes_gone(scope: NodeScope) -> Outcome:
    """Volumes of tenants that can only be used on this node are deleted, with their folders."""
    for volume in scope.kube.find(VOLUMES):
        claim = _claim(volume) if _is_on(volume, scope.node) else None
        if claim is not None:
            return _in_the_way(scope, volume, *claim)
    return Done("no volume of a tenant is bound to it")


def volumes_of_others(scope: NodeScope) -> list[str]:
    """Folders on the node that hold volumes of the host's own workloads."""
    kept = [v for v in scope.kube.find(VOLUMES) if _is_on(v, scope.node) and not _claim(v)]
    paths = (v["spec"].get("hostPath") or v["spec"].get("local") or {} for v in kept)
    return sorted(path["path"] for path in paths if "path" in path)


def _pods(scope: NodeScope, namespace: str) -> list[Object]:
    try:
        return scope.kube.find(PODS, namespace, fields=f"spec.nodeName={scope.desired.name}")
    except Refused:
        # Our rights there come and go with the namespace.
        if scope.kube.get(NAMESPACES, namespace) is None:
            return []
        raise


def _in_the_way(scope: NodeScope, volume: Object, namespace: str, claim: str) -> Outcome:
    name = volume["metadata"]["name"]
    living = scope.kube.get(NAMESPACES, namespace) is not None
    if not living or volume.get("status", {}).get("phase") != "Bound":
        return _released(volume)
    if claim == STORE:
        message = f"volume {name} keeps the control plane of {namespace}: delete that cluster, or move the node back"
        return Wait(_SLOW, Reason.CONFLICT, message)
    if not scope.move.discard_volumes:
        message = (
            f"volume {name} of claim {namespace}/{claim} holds data of a living cluster: its owner deletes the"
            " claim, or an admin moves the node again with discardVolumes"
        )
        return Wait(_SLOW, Reason.CONFLICT, message)
    scope.kube.delete(CLAIMS, claim, namespace)
    return Wait(_LOOK, Reason.RELEASING, f"volume {name} of claim {namespace}/{claim} is being discarded")


def _released(volume: Object) -> Outcome:
    name = volume["metadata"]["name"]
    if volume["spec"].get("persistentVolumeReclaimPolicy") == "Retain":
        message = f"volume {name} is kept by its reclaim policy Retain: an admin deletes it on the host"
        return Wait(_SLOW, Reason.RELEASING, message)
    return Wait(_LOOK, Reason.RELEASING, f"waiting for volume {name} to go")


def _claim(volume: Object) -> tuple[str, str] | None:
    """Namespace and name of the tenant's claim that a volume was made for."""
    found = volume.get("spec", {}).get("claimRef") or {}
    return (found["namespace"], found["name"]) if is_tenants(found.get("namespace", "")) else None


def _is_on(volume: Object, node: Object) -> bool:
    """Whether this node is among those that a volume can only be used on."""
    required = ((volume.get("spec", {}).get("nodeAffinity") or {}).get("required") or {}).get(
        "nodeSelectorTerms"
    ) or []
    names = {node["metadata"]["name"], (node["metadata"].get("labels") or {}).get("kubernetes.io/hostname")}
    rules = [r for t in required for r in (*t.get("matchExpressions", []), *t.get("matchFields", []))]
    return any(r.get("operator") == "In" and names & set(r.get("values", [])) for r in rules)
