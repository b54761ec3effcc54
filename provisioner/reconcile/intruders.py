"""Part of the network rules' step: nothing beside ours opens what they, and the rights of the namespace, close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.ports import NETWORK_POLICIES, ROLE_BINDINGS
from provisioner.reconcile import foreign
from tenancy.enums import ConditionType
from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope
    from tenancy.rules.specs import DesiredCluster

SYNCER_ROLE: Final = "atoll-syncer"
_LATELY: Final = 10.0


def clear(scope: Scope) -> None:
    """Looks at what others put into the namespace, and at the binding that Helm made for the syncer."""
    released = scope.known(ConditionType.RELEASED)
    if released is None or not released.true:
        return
    scope.apply(ROLE_BINDINGS, syncer_binding(scope.desired))
    key = ("cleared", scope.incarnation)
    if not scope.settled and scope.memory.recall(*key, within=_LATELY):
        return
    scope.watch.clear(NETWORK_POLICIES, foreign.network_policy)
    scope.watch.clear(ROLE_BINDINGS, foreign.role_binding)
    scope.memory.remember(*key)


def syncer_binding(desired: DesiredCluster) -> Object:
    """As the chart makes it, with the marks by which Helm knows its own; a test holds the two together."""
    name, namespace = foreign.SYNCER_BINDING, desired.namespace
    return {
        "apiVersion": ROLE_BINDINGS.api,
        "kind": ROLE_BINDINGS.name,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {
                "meta.helm.sh/release-name": RELEASE,
                "meta.helm.sh/release-namespace": namespace,
            },
        },
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": SYNCER_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
