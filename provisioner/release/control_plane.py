"""What a tenant's control plane needs for itself: one definition for the chart's values and the quota."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from tenancy.enums import Exposure, Persistence
from tenancy.rules import quantities

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MI: Final = Decimal(1024**2)
_GI: Final = Decimal(1024**3)


@dataclass(frozen=True)
class Needs:
    """Of one pod; processor in cores, memory in bytes."""

    cpu_request: Decimal
    cpu_limit: Decimal
    memory_request: Decimal
    memory_limit: Decimal

    def resources(self) -> dict[str, dict[str, str]]:
        """A container's ``resources`` as Kubernetes writes them."""
        return {
            "requests": _amounts(self.cpu_request, self.memory_request),
            "limits": _amounts(self.cpu_limit, self.memory_limit),
        }


# A start is one long burst of work: a limit below it would only make people wait.
CONTROL_PLANE: Final = Needs(Decimal("0.1"), Decimal(4), 512 * _MI, 2 * _GI)
"""The pod with the tenant's API server, controllers, store and syncer."""
DNS: Final = Needs(Decimal("0.02"), Decimal(1), 64 * _MI, 170 * _MI)
"""vCluster's CoreDNS, as vCluster itself writes it."""
PROBE: Final = Needs(Decimal("0.01"), Decimal(1), 16 * _MI, 128 * _MI)
"""The pod that reads its kernel; a sandbox's own memory counts to it."""
STORE: Final = 5 * _GI
"""Bytes of the claim that keeps a persistent cluster's objects."""

PODS: Final = (CONTROL_PLANE, DNS, PROBE)
"""All that run in a tenant's namespace on the platform's behalf."""

SANDBOXED: Final = tuple(needs for needs in PODS if needs is not CONTROL_PLANE)
"""Those of them that run in the tenant's sandbox, and cost its overhead."""

SERVICES: Final[Mapping[Exposure, Mapping[str, int]]] = {
    Exposure.CLUSTER_IP: {"services.nodeports": 0, "services.loadbalancers": 0},
    Exposure.NODE_PORT: {"services.nodeports": 1, "services.loadbalancers": 0},
    Exposure.LOAD_BALANCER: {"services.nodeports": 1, "services.loadbalancers": 1},
}
"""What the platform's own Service takes of the quota; tenants get none of either."""


def total() -> Needs:
    """Of all pods of the platform together."""
    return Needs(
        cpu_request=_sum(p.cpu_request for p in PODS),
        cpu_limit=_sum(p.cpu_limit for p in PODS),
        memory_request=_sum(p.memory_request for p in PODS),
        memory_limit=_sum(p.memory_limit for p in PODS),
    )


def store_bytes(persistence: Persistence) -> Decimal:
    """Of persistent volumes, for the tenant's objects."""
    return STORE if persistence is Persistence.PERSISTENT else Decimal(0)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _amounts(cpu: Decimal, memory: Decimal) -> dict[str, str]:
    return {"cpu": quantities.millis(cpu), "memory": quantities.mebibytes(memory)}
