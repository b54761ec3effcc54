"""Names resolve inside the tenant's cluster: its CoreDNS is available."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Wait
from provisioner.ports import DEPLOYMENTS, PODS
from provisioner.reconcile import pods
from tenancy.enums import Reason

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.reconcile.scope import Scope

_NAMESPACE: Final = "kube-system"
_DEPLOYMENT: Final = "coredns"
_PODS: Final = "k8s-app=vcluster-kube-dns"
_LOOK: Final = 0.1


def available(scope: Scope) -> Outcome:
    """Looks at the Deployment that vCluster makes in the tenant's cluster."""
    seen = scope.tenant.get(DEPLOYMENTS, _DEPLOYMENT, _NAMESPACE)
    if seen is None:
        return Wait(_LOOK, Reason.WAITING, "waiting for vCluster to set up DNS")
    for condition in seen.get("status", {}).get("conditions", []):
        if condition["type"] == "Available" and condition["status"] == "True":
            return Done()
    found = scope.tenant.find(PODS, _NAMESPACE, labels=_PODS)
    return Wait(_LOOK, *pods.explain(found, "DNS"))
