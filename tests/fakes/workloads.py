"""The controllers of a tenant's cluster: what was asked for gets a status, as Kubernetes' own controllers write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.ports import DEPLOYMENTS, PODS

if TYPE_CHECKING:
    from provisioner.ports import Object
    from tests.fakes.kube import Store

_SYSTEM = "kube-system"


def tick(store: Store, broken: set[str]) -> None:
    """Every controller acts once; pods of ``broken`` workloads find no image."""
    for (plural, namespace, name), seen in list(store.objects.items()):
        if namespace != _SYSTEM and plural in _ACTS:
            _ACTS[plural](store, seen, name in broken)


def _namespace(_: Store, seen: Object, __: bool) -> None:
    seen["status"] = {"phase": "Active"}


def _definition(_: Store, seen: Object, __: bool) -> None:
    seen["status"] = {"conditions": [{"type": "Established", "status": "True"}]}


def _deployment(store: Store, seen: Object, broken: bool) -> None:
    wanted, namespace = seen["spec"].get("replicas", 1), seen["metadata"]["namespace"]
    name = f"{seen['metadata']['name']}-0"
    running = 0 if broken else wanted
    seen["status"] = {
        "observedGeneration": seen["metadata"]["generation"],
        "replicas": wanted,
        "updatedReplicas": wanted,
        "availableReplicas": running,
    }
    labels = (seen["spec"].get("selector") or {}).get("matchLabels") or {}
    store.put(PODS, {"metadata": {"name": name, "namespace": namespace, "labels": labels}, **_pod(broken)})


def _pod(broken: bool) -> dict[str, Any]:
    if not broken:
        ready = {"type": "Ready", "status": "True"}
        return {"spec": {}, "status": {"phase": "Running", "conditions": [ready]}}
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    return {
        "spec": {"containers": [{"name": "main", "image": "example.com/none:1"}]},
        "status": {
            "phase": "Pending",
            "containerStatuses": [{"name": "main", "state": {"waiting": waiting}}],
        },
    }


def _job(_: Store, seen: Object, broken: bool) -> None:
    kind = "Failed" if broken else "Complete"
    seen["status"] = {"conditions": [{"type": kind, "status": "True", "message": "it tried 3 times"}]}


_ACTS = {
    "namespaces": _namespace,
    "customresourcedefinitions": _definition,
    DEPLOYMENTS.plural: _deployment,
    "jobs": _job,
}
