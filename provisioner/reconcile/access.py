"""People get in: a ServiceAccount for each role, from which short-lived kubeconfigs are minted."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final

import yaml

from provisioner.outcomes import Done, Wait
from provisioner.ports import CLUSTER_ROLE_BINDINGS, NAMESPACES, SERVICE_ACCOUNTS
from provisioner.reconcile import labels
from provisioner.reconcile.names import CLUSTER_ROLES, PROBE_ACCOUNT, account
from tenancy.enums import Reason, Role
from tenancy.rules.names import SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Kube, Object, TenantCredentials, Token
    from provisioner.reconcile.scope import Scope
    from tenancy.rules.specs import DesiredAccess

SHORTEST: Final = 600
"""Seconds; the API server grants no shorter token."""
_BINDINGS: Final = CLUSTER_ROLE_BINDINGS.api
_MARK: Final = {"app.kubernetes.io/managed-by": "atoll"}


def issued(scope: Scope) -> Outcome:
    """Sets the accounts up and proves that a credential can be had from one."""
    key = ("access", scope.incarnation, scope.desired.generation, scope.desired.access_epoch)
    if scope.memory.recall(*key):
        return Done()
    _revoke(scope)
    prepare_namespace(scope)
    for role in Role:
        prepare_role(scope.tenant, role)
    if not scope.tenant.token(account(Role.VIEWER), SYSTEM_NAMESPACE, SHORTEST).value:
        return Wait(0.5, Reason.NOT_READY, "the tenant's API gave out an empty token")
    scope.memory.remember(*key)
    return Done()


def _revoke(scope: Scope) -> None:
    """After a quarantine: a token dies with its account, and one of the same name is another account.

    That it was done is noted on the host, where the tenant cannot say so in our place.
    """
    epoch = str(scope.desired.access_epoch)
    seen = (scope.namespace or {"metadata": {}})["metadata"].get("annotations") or {}
    if scope.desired.access_epoch == 0 or seen.get(labels.ACCESS_EPOCH) == epoch:
        return
    for role in Role:
        scope.tenant.delete(SERVICE_ACCOUNTS, account(role), SYSTEM_NAMESPACE)
    scope.host.kube.annotate(NAMESPACES, scope.desired.namespace, {labels.ACCESS_EPOCH: epoch})


def prepare_namespace(scope: Scope) -> None:
    """The platform's namespace in the tenant's cluster; its accounts need not wait for the tenant's controllers."""
    key = ("system namespace", scope.incarnation)
    if scope.memory.recall(*key):
        return
    tenant = scope.tenant
    tenant.apply(NAMESPACES, _body("v1", "Namespace", SYSTEM_NAMESPACE))
    probe = _body("v1", "ServiceAccount", PROBE_ACCOUNT, SYSTEM_NAMESPACE)
    tenant.apply(SERVICE_ACCOUNTS, {**probe, "automountServiceAccountToken": False})
    scope.memory.remember(*key)


def prepare_role(tenant: Kube, role: Role) -> None:
    """The account of a role with its rights in the tenant's cluster."""
    name = account(role)
    tenant.apply(SERVICE_ACCOUNTS, _body("v1", "ServiceAccount", name, SYSTEM_NAMESPACE))
    binding = {
        **_body(_BINDINGS, "ClusterRoleBinding", name),
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": CLUSTER_ROLES[role],
        },
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": SYSTEM_NAMESPACE}],
    }
    tenant.apply(CLUSTER_ROLE_BINDINGS, binding)


def kubeconfig(wish: DesiredAccess, reached: TenantCredentials, token: Token) -> str:
    """As ``kubectl`` reads it; the one context is named after the cluster."""
    cluster = f"{wish.cluster.tenant}-{wish.cluster.name}"
    server = {
        "server": f"https://{reached.address.removesuffix(':443')}",
        "certificate-authority-data": b64encode(reached.authority).decode(),
    }
    if reached.server_name:
        server["tls-server-name"] = reached.server_name
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": server}],
        "users": [{"name": wish.user, "user": {"token": token.value}}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": wish.user}}],
        "current-context": cluster,
    }
    return yaml.safe_dump(document, sort_keys=False)


def _body(api: str, kind: str, name: str, namespace: str = "") -> Object:
    metadata = {"name": name, "labels": _MARK, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata}
