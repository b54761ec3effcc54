"""What is known of a host's nodes, as it was last seen there."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tenancy.rules import gpu as gpus

if TYPE_CHECKING:
    from tenancy.rules.gpu import GpuFacts


@dataclass(frozen=True)
class Taint:
    """Keeps pods without a matching toleration off a node."""

    key: str
    effect: str
    value: str = ""


@dataclass(frozen=True)
class NodeFacts:
    """One node of a host cluster, read from the host's API."""

    name: str
    uid: str
    """Of the Node object: a node made anew under the same name is another."""
    ready: bool
    schedulable: bool
    """Not cordoned."""
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    kernel: str = ""
    """As ``uname -r`` says there."""
    runtime: str = ""
    """As ``containerd://2.3.3``."""
    kubelet: str = ""
    """Its version, as ``v1.36.3``."""
    handlers: dict[str, bool] = field(default_factory=dict)
    """Handler of the container runtime → whether it can give pods user namespaces."""
    resources: dict[str, int] = field(default_factory=dict)
    """Allocatable extended resources: ``nvidia.com/gpu`` → 4."""
    gpu: GpuFacts | None = None
    """Of a node with accelerators only."""


def to_json(facts: NodeFacts) -> dict[str, Any]:
    """For the database column."""
    return {**asdict(facts), "taints": [asdict(taint) for taint in facts.taints]}


def from_json(data: dict[str, Any]) -> NodeFacts:
    """The inverse of ``to_json``."""
    taints = tuple(Taint(**taint) for taint in data["taints"])
    gpu = gpus.from_json(data["gpu"]) if data.get("gpu") else None
    return NodeFacts(**{**data, "taints": taints, "gpu": gpu})
