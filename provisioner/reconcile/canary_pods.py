"""The pods that canaries are made of: what a tenant's pod would be, in a namespace where there is none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from provisioner.reconcile import labels, sandbox
from tenancy.enums import Sandbox

if TYPE_CHECKING:
    from provisioner.ports import Object
    from tenancy.rules.specs import DesiredCluster, EffectiveSpec

NAME: Final = "atoll-canary"


class Wish(Protocol):
    """What they are made for, as a pass's scope and a report's look have it."""

    @property
    def desired(self) -> DesiredCluster:
        """The cluster."""

    @property
    def effective(self) -> EffectiveSpec:
        """What is to be built."""


def placed(wish: Wish, **spec: Any) -> Object:  # noqa: ANN401 - any field of a pod
    """A pod that says itself what the namespace asks for."""
    wanted: Object = {"nodeSelector": dict(wish.effective.node_selector)}
    if wish.effective.runtime_class:
        wanted["runtimeClassName"] = wish.effective.runtime_class
    if wish.effective.sandbox is Sandbox.USERNS:
        wanted["hostUsers"] = False
    return plain(wish, {**wanted, **spec})


def runs(wish: Wish, name: str, line: str) -> Object:
    """One that runs a line of the shell under all that a tenant's pod runs under."""
    found = placed(
        wish,
        restartPolicy="Never",
        terminationGracePeriodSeconds=0,
        activeDeadlineSeconds=60,
        enableServiceLinks=False,
        containers=[sandbox.container(wish.desired.host.image_prefix, line, "canary")],
    )
    found["metadata"]["name"] = name
    found["metadata"]["labels"]["app"] = name
    return found


def plain(wish: Wish, spec: Object) -> Object:
    """A pod as the syncer would make it, with what the namespace's policies fill in left out."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": NAME,
            "namespace": wish.desired.namespace,
            "labels": {labels.SYNCED: NAME},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "canary", "image": sandbox.image(wish.desired.host.image_prefix)}],
            **spec,
        },
    }
