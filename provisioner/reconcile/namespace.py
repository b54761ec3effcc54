"""The host namespace with its labels, and the provisioner's own rights inside it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Stall, Wait
from provisioner.ports import NAMESPACES, RESOURCE_QUOTAS, ROLE_BINDINGS, Refused
from provisioner.reconcile import labels, parameters
from provisioner.reconcile.limits import QUOTA
from tenancy.enums import Reason, Sandbox

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope
    from tenancy.rules.specs import DesiredCluster, EffectiveSpec

TENANT_ROLE: Final = "atoll-tenant-manager"
"""The ClusterRole of helm/host that the provisioner may bind, and nothing else."""
BINDING: Final = "atoll-provisioner"
_RIGHTS_REACH: Final = 2.0
"""Seconds within which new rights usually reach every authorizer of the API server."""
_STEP: Final = 0.05


def ensure(scope: Scope) -> Outcome:
    """Makes the namespace ours, fences older passes off, and gives us our rights in it."""
    seen, wanted = scope.namespace, _namespace(scope)
    if seen is not None:
        outcome = _acceptable(scope, seen)
        if not isinstance(outcome, Done):
            return outcome
    scope.namespace = scope.keep_namespace(wanted)
    if not _carries(scope.namespace, wanted):  # what passes write down for themselves
        scope.namespace = scope.host.kube.apply(NAMESPACES, wanted)
    scope.apply(ROLE_BINDINGS, _binding(scope, scope.identity()))
    if scope.memory.recall("rights", scope.incarnation):
        return Done()
    if not _allowed(scope):
        message = "waiting for the provisioner's rights in the namespace to take effect"
        return Wait(0.5, Reason.FORBIDDEN, message)
    scope.memory.remember("rights", scope.incarnation)
    return Done()


def _acceptable(scope: Scope, seen: Object) -> Outcome:
    name, host = scope.desired.namespace, scope.desired.host.name
    if not scope.ours:
        message = f"namespace {name} exists on host {host!r} and is not ours: an admin has to remove it there"
        return Stall(Reason.CONFLICT, message)
    if labels.terminating(seen):
        message = f"namespace {name} is being deleted on the host; it is made anew when it is gone"
        return Wait(1.0, Reason.WAITING, message)
    fence = seen["metadata"].get("annotations", {}).get(labels.FENCE, "0")
    if fence.isdigit() and int(fence) > scope.guard.fence:
        # A pass for a younger wish was here: either we are a straggler, or our database
        # was restored from a backup. The queue knows.
        scope.guard.confirm()
    return Done()


def _namespace(scope: Scope) -> Object:
    desired, wanted = scope.desired, marks(scope.desired, scope.effective)
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": desired.namespace,
            "labels": wanted["labels"],
            "annotations": {labels.FENCE: str(scope.guard.fence), **wanted["annotations"]},
        },
    }


def marks(desired: DesiredCluster, effective: EffectiveSpec) -> dict[str, dict[str, str]]:
    """The labels and annotations that guard: whose it is, and what the host policies go by."""
    worn = {
        **labels.of(desired),
        labels.TRUST: desired.trust.value,
        labels.SANDBOX: effective.sandbox.value,
        labels.RUNTIME_CLASS: effective.runtime_class,
        **_user_namespaces(effective.sandbox),
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "baseline",
    }
    return {"labels": worn, "annotations": parameters.of(desired, effective)}


def _user_namespaces(sandbox: Sandbox) -> dict[str, str]:
    """With this label the host's policies give every pod ``hostUsers: false`` and take no other."""
    return {labels.USER_NAMESPACES: "required"} if sandbox is Sandbox.USERNS else {}


def _carries(seen: Object, wanted: Object) -> bool:
    return all(
        wanted["metadata"][part].items() <= seen["metadata"].get(part, {}).items()
        for part in ("labels", "annotations")
    )


def _binding(scope: Scope, identity: str) -> Object:
    return {
        "apiVersion": ROLE_BINDINGS.api,
        "kind": "RoleBinding",
        "metadata": labels.metadata(scope.desired, BINDING),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": TENANT_ROLE},
        "subjects": [_subject(identity)],
    }


def _subject(identity: str) -> Object:
    parts = identity.split(":")
    if parts[:2] == ["system", "serviceaccount"]:
        return {"kind": "ServiceAccount", "namespace": parts[2], "name": parts[3]}
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": identity}


def _allowed(scope: Scope) -> bool:
    """Whether the rights work yet: they reach the authorizer a moment after the binding is made."""
    for _ in range(int(_RIGHTS_REACH / _STEP)):
        scope.pause(_STEP)
        with contextlib.suppress(Refused):
            scope.host.kube.get(RESOURCE_QUOTAS, QUOTA, scope.desired.namespace)
            return True
    return False
