"""What is known of a host's runtime classes, and which sandbox profiles follow for the host."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from tenancy.rules import quantities


@dataclass(frozen=True)
class Overhead:
    """What a sandbox itself takes for each pod, beside the pod's containers; quota counts it."""

    cpu: Decimal = Decimal(0)
    """Cores."""
    memory: Decimal = Decimal(0)
    """Bytes."""

    def of(self, pods: int) -> Overhead:
        """For so many pods together."""
        return Overhead(self.cpu * pods, self.memory * pods)


NO_OVERHEAD: Final = Overhead()


@dataclass(frozen=True)
class RuntimeClass:
    """A RuntimeClass of a host."""

    handler: str
    """The name by which the node's container runtime knows it."""
    overhead: Overhead = NO_OVERHEAD
    node_selector: dict[str, str] = field(default_factory=dict)
    """Its ``scheduling.nodeSelector``: Kubernetes adds it to the pods of this class."""
    tolerations: int = 0
    """How many Kubernetes adds likewise."""


@dataclass(frozen=True)
class SandboxFacts:
    """One profile on one host, or on some of its nodes."""

    runtime_class: str = ""
    """What pods name to have it; empty for profiles that need none."""
    overhead: Overhead = NO_OVERHEAD
    nodes: int = 0
    """Ready nodes that can run it."""
    lack: str = ""
    """Why it cannot be had; empty when it can."""
    accelerators: dict[str, str] = field(default_factory=dict)
    """Extended resource on these nodes → why pods of this profile cannot use it; empty when they can."""


def class_to_json(found: RuntimeClass) -> dict[str, Any]:
    """For the database column and the API."""
    return {
        "handler": found.handler,
        "overhead": overhead_to_json(found.overhead),
        "nodeSelector": found.node_selector,
        "tolerations": found.tolerations,
    }


def class_from_json(data: dict[str, Any]) -> RuntimeClass:
    """The inverse of ``class_to_json``."""
    return RuntimeClass(
        handler=data["handler"],
        overhead=_overhead(data["overhead"]),
        node_selector=dict(data["nodeSelector"]),
        tolerations=data.get("tolerations", 0),
    )


def sandbox_to_json(found: SandboxFacts) -> dict[str, Any]:
    """For the database column and the API."""
    return {
        "runtimeClass": found.runtime_class,
        "overhead": overhead_to_json(found.overhead),
        "nodes": found.nodes,
        "lack": found.lack,
        "accelerators": found.accelerators,
    }


def sandbox_from_json(data: dict[str, Any]) -> SandboxFacts:
    """The inverse of ``sandbox_to_json``."""
    return SandboxFacts(
        runtime_class=data["runtimeClass"],
        overhead=_overhead(data["overhead"]),
        nodes=data["nodes"],
        lack=data["lack"],
        accelerators=dict(data["accelerators"]),
    )


def overhead_to_json(overhead: Overhead) -> dict[str, str]:
    """As Kubernetes writes a RuntimeClass's ``overhead.podFixed``."""
    return {"cpu": quantities.millis(overhead.cpu), "memory": quantities.mebibytes(overhead.memory)}


def _overhead(data: dict[str, str]) -> Overhead:
    return Overhead(quantities.parse(data["cpu"]), quantities.parse(data["memory"]))
