"""The pods that canaries are made of: what a tenant's pod would be, in a namespace where there is none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from provisioner.reconcile import labels, sandbox
from tenancy.enums import Sandbox

if TYPE_CHECKING:
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope

NAME: Final = "atoll-canary"


def placed(scope: Scope, **spec: Any) -> Object:  # noqa: ANN401 - any field of a pod
    """A pod that says itself what the namespace asks for."""
    wanted: Object = {"nodeSelector": dict(scope.effective.node_selector)}
    if scope.effective.runtime_class:
        wanted["runtimeClassName"] = scope.effective.runtime_class
    if scope.effective.sandbox is Sandbox.USERNS:
        wanted["hostUsers"] = False
    return plain(scope, {**wanted, **spec})


def runs(scope: Scope, name: str, line: str) -> Object:
    """One that runs a line of the shell under all that a tenant's pod runs under."""
    found = placed(
        scope,
        restartPolicy="Never",
        terminationGracePeriodSeconds=0,
        activeDeadlineSeconds=60,
        enableServiceLinks=False,
        containers=[sandbox.container(scope.desired.host.image_prefix, line, "canary")],
    )
    found["metadata"]["name"] = name
    found["metadata"]["labels"]["app"] = name
    return found


def plain(scope: Scope, spec: Object) -> Object:
    """A pod as the syncer would make it, with what the namespace's policies fill in left out."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": NAME,
            "namespace": scope.desired.namespace,
            "labels": {labels.SYNCED: NAME},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "canary", "image": sandbox.image(scope.desired.host.image_prefix)}],
            **spec,
        },
    }
