"""Who may talk to whom in a tenant's namespace: nobody, but for what the cluster cannot do without.

Policies judge the address after a Service's translation, so ports are those of the pods.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done
from provisioner.ports import NETWORK_POLICIES
from provisioner.reconcile import intruders, labels
from provisioner.reconcile.addresses import split

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope
    from tenancy.rules.specs import DesiredCluster

API: Final = 8443
"""Where the control plane's pod serves the tenant's API."""

_TENANT_PODS: Final[Object] = {"matchExpressions": [{"key": labels.SYNCED, "operator": "Exists"}]}
_CONTROL_PLANE: Final[Object] = {
    "matchLabels": labels.CONTROL_PLANE,
    # A tenant's pod, whatever labels its maker chose, always carries the syncer's mark.
    "matchExpressions": [{"key": labels.SYNCED, "operator": "DoesNotExist"}],
}


def isolate(scope: Scope) -> Outcome:
    """Sets the policies; repeated whenever they differ or were not looked at lately."""
    for body in policies(scope.desired):
        scope.apply(NETWORK_POLICIES, body)
    intruders.clear(scope)
    return Done()


def policies(desired: DesiredCluster) -> tuple[Object, ...]:
    """Deny all; tenant pods among themselves and to their API; the control plane to its host and tenants.

    The tenant's DNS is one of the tenant's pods, so it needs no rule of its own. What asks
    the tenant's API from outside are people and the workers, by ``client_cidrs``. In quarantine
    all of them allow nothing.
    """
    if desired.quarantined:
        return tuple(
            _policy(desired, name, pods, ingress=[], egress=[])
            for name, pods in (
                ("atoll-deny", {}),
                ("atoll-tenant-pods", _TENANT_PODS),
                ("atoll-control-plane", _CONTROL_PLANE),
            )
        )
    pods, plane = {"podSelector": _TENANT_PODS}, {"podSelector": _CONTROL_PLANE}
    api = [{"protocol": "TCP", "port": API}]
    clients = [{"ipBlock": {"cidr": cidr}} for cidr in desired.host.client_cidrs]
    return (
        _policy(desired, "atoll-deny", {}, ingress=[], egress=[]),
        _policy(
            desired,
            "atoll-tenant-pods",
            _TENANT_PODS,
            ingress=[{"from": [pods, plane]}],
            egress=[{"to": [pods]}, {"to": [plane], "ports": api}],
        ),
        _policy(
            desired,
            "atoll-control-plane",
            _CONTROL_PLANE,
            ingress=[{"from": [pods, *clients], "ports": api}],
            egress=[{"to": [pods]}, *_host_api(desired)],
        ),
    )


def _host_api(desired: DesiredCluster) -> list[Object]:
    addresses = desired.host.facts.api_addresses if desired.host.facts else ()
    return [_to(*split(address)) for address in addresses]


def _to(host: str, port: int) -> Object:
    address = ip_address(host)
    block = f"{address}/{address.max_prefixlen}"
    return {"to": [{"ipBlock": {"cidr": block}}], "ports": [{"protocol": "TCP", "port": port}]}


def _policy(
    desired: DesiredCluster, name: str, pods: Object, *, ingress: list[Object], egress: list[Object]
) -> Object:
    return {
        "apiVersion": NETWORK_POLICIES.api,
        "kind": "NetworkPolicy",
        "metadata": labels.metadata(desired, name),
        "spec": {
            "podSelector": pods,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }
