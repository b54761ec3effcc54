"""Reads a Node object into what Atoll keeps of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenancy.rules import quantities
from tenancy.rules.nodes import NodeFacts, Taint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.ports import Object

_OWN: Final = "kubernetes.io"
"""Names of this domain are Kubernetes' own; a device's name has its vendor's."""


def is_extended(name: str) -> bool:
    """Whether a resource's name is a device's."""
    return "/" in name and not name.partition("/")[0].endswith(_OWN)


def facts(node: Object) -> NodeFacts:
    """One node as the host's API prints it."""
    meta, spec, status = node["metadata"], node.get("spec", {}), node.get("status", {})
    info = status.get("nodeInfo", {})
    return NodeFacts(
        name=meta["name"],
        uid=meta["uid"],
        ready=is_ready(node),
        schedulable=not spec.get("unschedulable", False),
        labels=dict(sorted((meta.get("labels") or {}).items())),
        taints=tuple(Taint(t["key"], t["effect"], t.get("value") or "") for t in spec.get("taints") or []),
        kernel=info.get("kernelVersion", ""),
        runtime=info.get("containerRuntimeVersion", ""),
        kubelet=info.get("kubeletVersion", ""),
        handlers={h.get("name", ""): _user_namespaces(h) for h in status.get("runtimeHandlers") or []},
        resources=_extended(status.get("allocatable") or {}),
    )


def is_ready(node: Object) -> bool:
    """Whether its kubelet says so."""
    found = node.get("status", {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in found)


def addresses(listed: Iterable[Object]) -> set[str]:
    """Of all nodes, inside and out; names are left out."""
    found = [a for node in listed for a in node.get("status", {}).get("addresses") or []]
    return {a["address"] for a in found if a["type"] in {"InternalIP", "ExternalIP"}}


def pod_cidrs(listed: Iterable[Object]) -> set[str]:
    """Where all pods are, if every node tells its range: many networks keep ranges of their own."""
    ranges = [node.get("spec", {}).get("podCIDRs") or [] for node in listed]
    return {cidr for each in ranges for cidr in each} if all(ranges) else set()


def _user_namespaces(handler: Object) -> bool:
    return bool((handler.get("features") or {}).get("userNamespaces"))


def _extended(allocatable: Object) -> dict[str, int]:
    names = (n for n in sorted(allocatable) if is_extended(n))
    return {name: int(quantities.parse(allocatable[name])) for name in names}
