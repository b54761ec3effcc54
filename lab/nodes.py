"""The cluster's Node objects: labels, pretend accelerators, pretend nodes, and none too many."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lab.client import Client
    from lab.instance import Instance, Node

ROLE: Final = "tenancy.atoll.internal/role"
GPU: Final = "nvidia.com/gpu"
GPU_PRODUCT: Final = "LAB-PRETEND-GPU"
FAKE: Final = "fake-"
_NODES: Final = "/api/v1/nodes"


def forget(lab: Instance, client: Client) -> None:
    """Take back what the API still believes of nodes from before this start, so that Ready means now."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for node in lab.nodes:
        found = client.get(f"{_NODES}/{node.name}")
        for index, condition in enumerate((found or {}).get("status", {}).get("conditions", [])):
            if condition["type"] == "Ready":
                told = {"status": "Unknown", "reason": "LabStarted", "message": "", "lastTransitionTime": now}
                value = {**condition, **told}
                patch = [{"op": "replace", "path": f"/status/conditions/{index}", "value": value}]
                client.patch(f"{_NODES}/{node.name}/status", patch)


def are_ready(lab: Instance, client: Client) -> bool:
    """Tell whether every real node says it is ready."""
    return all(_is_ready(client.get(f"{_NODES}/{node.name}")) for node in lab.nodes)


def shape(lab: Instance, client: Client) -> None:
    """Give the real nodes their labels and accelerators; what is so already stays untouched."""
    for node in lab.nodes:
        found = client.get(f"{_NODES}/{node.name}")
        if found is None:
            continue
        wanted = labels(lab, node)
        have = found["metadata"].get("labels", {})
        if any(have.get(key) != value for key, value in wanted.items()):
            client.patch(f"{_NODES}/{node.name}", {"metadata": {"labels": wanted}})
        _set_gpus(
            client, node, found["status"].get("capacity", {}), lab.options.gpus if node.is_worker else 0
        )


def labels(lab: Instance, node: Node) -> dict[str, str | None]:
    """Give the labels a node is to have; None for one it must not have."""
    role = "worker" if node.is_worker else "control-plane"
    gpus = lab.options.gpus if node.is_worker else 0
    return {
        ROLE: role,
        f"node-role.kubernetes.io/{role}": "",
        "nvidia.com/gpu.product": GPU_PRODUCT if gpus else None,
        "nvidia.com/gpu.count": str(gpus) if gpus else None,
        "nvidia.com/gpu.present": "true" if gpus else None,
    }


def remove_others(lab: Instance, client: Client) -> None:
    """Delete Node objects that this start of the lab has no node for."""
    wanted = {node.name for node in lab.nodes} | set(_fake_names(lab))
    for name in _names(client) - wanted:
        client.delete(f"{_NODES}/{name}")


def add_fakes(lab: Instance, client: Client) -> None:
    """Make the Node objects that kwok plays; real pods are kept off by a taint."""
    have = _names(client)
    for name in _fake_names(lab):
        if name not in have:
            client.apply(f"{_NODES}/{name}", fake(name))


def fake(name: str) -> dict[str, Any]:
    """Give the Node object of a pretend node."""
    tags = {"type": "kwok", ROLE: "fake", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    taint = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": tags},
        "spec": {"taints": [taint]},
    }


def _fake_names(lab: Instance) -> list[str]:
    return [f"{FAKE}{number + 1}" for number in range(lab.options.fake_nodes)]


def _names(client: Client) -> set[str]:
    listed = client.get(_NODES) or {}
    return {item["metadata"]["name"] for item in listed.get("items", [])}


def _is_ready(node: dict[str, Any] | None) -> bool:
    conditions = (node or {}).get("status", {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _set_gpus(client: Client, node: Node, capacity: dict[str, str], count: int) -> None:
    """Pretend accelerators: a kubelet keeps a capacity it did not set, the scheduler believes it."""
    if capacity.get(GPU, "0") == str(count):
        return
    key = GPU.replace("/", "~1")
    where = ("/status/capacity/", "/status/allocatable/")
    client.patch(
        f"{_NODES}/{node.name}/status",
        [{"op": "add", "path": f"{folder}{key}", "value": str(count)} for folder in where],
    )
