"""Where a tenant's API is reached, from the host's Service and how the host is exposed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.ports import NODES
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
    if not name or not port:
        return None
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _node(host: Kube) -> str:
    """Any node's address: a node port is open on all of them."""
    addresses = [a for node in host.find(NODES) for a in node.get("status", {}).get("addresses", [])]
    for kind in _PUBLIC_FIRST:
        for entry in addresses:
            if entry["type"] == kind:
                return str(entry["address"])
    return ""
