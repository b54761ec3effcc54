"""Where a tenant's API is reached, from the host's Service and how the host is exposed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.ports import NODES
from provisioner.reconcile.addresses import pair
from provisioner.reconcile.nodes import is_ready
from tenancy.enums import Exposure
from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from provisioner.ports import Kube, Object

PORT = 443
_PUBLIC_FIRST = ("ExternalIP", "InternalIP")


def address(exposure: Exposure, service: Object, host: Kube) -> str | None:
    """``host:port`` of the tenant's API; ``None`` while the host has not given it one."""
    match exposure:
        case Exposure.CLUSTER_IP:
            return _at(service["spec"].get("clusterIP", ""), PORT)
        case Exposure.LOAD_BALANCER:
            points = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
            return _at(points[0].get("ip") or points[0].get("hostname") or "", PORT)
        case Exposure.NODE_PORT:
            return _at(_node(host), service["spec"]["ports"][0].get("nodePort", 0))


def server_name(exposure: Exposure, namespace: str) -> str:
    """What the served certificate is checked for; empty for the address itself.

    The certificate always has the Service's names, but of the nodes only the one that the
    control plane runs on, and a load balancer's address only later.
    """
    return "" if exposure is Exposure.CLUSTER_IP else f"{RELEASE}.{namespace}.svc"


def _at(name: str, port: int) -> str | None:
    return pair(name, port) if name and port else None


def _node(host: Kube) -> str:
    """A node's address: a node port is open on all of them, so on one that answers."""
    found = [
        (not is_ready(node), _PUBLIC_FIRST.index(entry["type"]), str(entry["address"]))
        for node in host.find(NODES)
        for entry in node.get("status", {}).get("addresses") or []
        if entry["type"] in _PUBLIC_FIRST
    ]
    return min(found, key=lambda one: one[:2])[2] if found else ""
