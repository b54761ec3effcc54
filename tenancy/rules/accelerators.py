"""Accelerator classes: what they are on a host, how many a pool has, and why a cluster cannot have some. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tenancy.errors import FieldError
from tenancy.grant_enums import AcceleratorKind
from tenancy.rules.ledger import NodeRoom
from tenancy.rules.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tenancy.enums import Sandbox
    from tenancy.rules.nodes import NodeFacts
    from tenancy.rules.specs import HostFacts

KEY_MAX: Final = 40
MODELS: Final = (
    "nvidia.com/gpu.product",
    "amd.com/gpu.product-name",
    "gpu.intel.com/product",
    "tenancy.atoll.internal/accelerator-model",
)
"""Node labels by which the vendors' discovery, or an admin, tells the model."""


@dataclass(frozen=True)
class Accelerator:
    """A class of the catalogue as rules know it."""

    key: str
    resource: str
    kind: AcceleratorKind = AcceleratorKind.EXTENDED_RESOURCE
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of every node with this model; empty for any node with the resource."""
    offered: bool = True


@dataclass(frozen=True)
class Discovered:
    """A way to a device that was seen on a host and that no class of the catalogue names."""

    kind: AcceleratorKind
    resource: str
    labels: Mapping[str, str]
    devices: int
    nodes: int


def on_node(accelerator: Accelerator, node: NodeFacts) -> int:
    """Devices of the class on a node, whatever state the node is in; device classes do not tell."""
    if (
        accelerator.kind is AcceleratorKind.DEVICE_CLASS
        or not accelerator.labels.items() <= node.labels.items()
    ):
        return 0
    return node.resources.get(accelerator.resource, 0)


def overlap(one: Accelerator, other: Accelerator) -> bool:
    """Whether a device could be of both: the same way to it, and no label by which their nodes differ."""
    if (one.kind, one.resource) != (other.kind, other.resource):
        return False
    return all(other.labels.get(key, value) == value for key, value in one.labels.items())


def healthy(node: NodeFacts) -> bool:
    """Whether its devices count as capacity."""
    return node.ready and node.schedulable


def capacity(accelerator: Accelerator, nodes: Iterable[NodeFacts], reserved: int) -> int:
    """Devices of these nodes that can be granted."""
    return max(0, sum(on_node(accelerator, node) for node in nodes if healthy(node)) - reserved)


def rooms(
    accelerator: Accelerator, nodes: Iterable[NodeFacts], used: Mapping[str, int]
) -> tuple[NodeRoom, ...]:
    """Each healthy node that has some; ``used`` are the devices that pods hold, by node."""
    found = ((node.name, on_node(accelerator, node)) for node in nodes if healthy(node))
    return tuple(NodeRoom(name, n, max(0, n - used.get(name, 0))) for name, n in sorted(found) if n)


def discovered(
    nodes: Sequence[NodeFacts], device_classes: Iterable[str], known: Sequence[Accelerator]
) -> tuple[Discovered, ...]:
    """What a host has that the catalogue does not name yet, for admins to name."""
    devices: Counter[tuple[str, str, str]] = Counter()
    places: Counter[tuple[str, str, str]] = Counter()
    for node in nodes:
        for resource, amount in node.resources.items():
            if amount and not any(a.resource == resource and on_node(a, node) for a in known):
                label = next((key for key in MODELS if key in node.labels), "")
                what = (resource, label, node.labels.get(label, ""))
                devices[what] += amount
                places[what] += 1
    named = {a.resource for a in known if a.kind is AcceleratorKind.DEVICE_CLASS}
    claimed = (
        Discovered(AcceleratorKind.DEVICE_CLASS, name, {}, 0, 0)
        for name in sorted(device_classes)
        if name not in named
    )
    plugged = (
        Discovered(
            AcceleratorKind.EXTENDED_RESOURCE,
            r,
            {label: model} if label else {},
            n,
            places[(r, label, model)],
        )
        for (r, label, model), n in sorted(devices.items())
    )
    return (*plugged, *claimed)


def refusals(
    asks: Mapping[str, int],
    known: Mapping[str, Accelerator],
    facts: HostFacts | None,
    sandbox: Sandbox | None,
    host: str,
) -> Iterator[FieldError]:
    """Why no grant could help: the class is not there, or does not go with the sandbox; each with what to do.

    ``facts`` are those of the cluster's nodes, ``sandbox`` the one it is to have; ``None`` while unknown.
    """
    seen: dict[str, str] = {}
    for index, key in enumerate(asks):
        path, found = f"spec.accelerators[{index}].class", known.get(key)
        if found is None or not found.offered:
            names = ", ".join(sorted(k for k, a in known.items() if a.offered)) or "none"
            yield FieldError(
                path, "unknown-class", f"there is no accelerator class {key!r}: known are {names}"
            )
        elif found.kind is AcceleratorKind.DEVICE_CLASS:
            detail = (
                f"{key!r} is claimed by DeviceClass {found.resource}, and virtual clusters do not pass claims on"
                " (open-source vCluster): choose a class with an extended resource"
            )
            yield FieldError(path, "not-offered", detail)
        elif found.resource in seen:
            detail = (
                f"{key!r} and {seen[found.resource]!r} are both {found.resource} on a host, which counts them as one:"
                " take one of them, or two clusters"
            )
            yield FieldError(path, "contradiction", detail)
        else:
            seen[found.resource] = key
            yield from _sandbox_refusal(path, found, facts, sandbox, host)


def _sandbox_refusal(
    path: str, wanted: Accelerator, facts: HostFacts | None, sandbox: Sandbox | None, host: str
) -> Iterator[FieldError]:
    if facts is None or sandbox is None or sandbox not in facts.sandboxes:
        return
    why = facts.sandboxes[sandbox].accelerators.get(wanted.resource, "")
    if not why:
        return
    able = [s for s, found in facts.sandboxes.items() if found.accelerators.get(wanted.resource) == ""]
    use = f"use sandbox {able[0].value!r}" if able else f"no sandbox of host {host!r} can: leave it out"
    detail = f"{PROFILES[sandbox].title} cannot use {wanted.key!r} on host {host!r}: {why}. Now: {use}"
    yield FieldError(path, "not-offered", detail)
