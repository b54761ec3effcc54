"""Proof of the sandbox: a pod that asks for no runtime class tells which kernel it runs on.

It is made through the tenant's API, as any of the tenant's pods, and read from inside. A
probe that could not run is no proof.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Stall, Wait
from provisioner.ports import EVENTS, NAMESPACES, NODES, PODS
from provisioner.reconcile import labels, nodes, pods
from provisioner.reconcile.access import prepare_namespace
from provisioner.reconcile.names import PROBE_ACCOUNT
from provisioner.release import control_plane
from tenancy.enums import ConditionType, Reason
from tenancy.rules import sandbox_proof
from tenancy.rules.names import SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope

IMAGE: Final = "docker.io/library/busybox:1.36.1"
EVERY: Final = timedelta(minutes=10)
"""A proof older than this is made anew when the cluster is looked at."""
LABEL: Final = "app.kubernetes.io/component=sandbox-probe"
_STUCK: Final = timedelta(minutes=2)
"""A probe that has not ended by then is thrown away and sent anew."""
_LOOK: Final = 0.1
_COMMAND: Final = f"{{ {sandbox_proof.COMMAND}; }} > /dev/termination-log"


def enforced(scope: Scope) -> Outcome:
    """Sends a probe unless the last proof still counts, and judges what it says."""
    condition = scope.known(ConditionType.SANDBOX_ENFORCED)
    proved = condition is not None and condition.true
    if proved and _recent(scope):
        return Done(condition.message if condition else "")
    mine, others = _probes(scope)
    for other in others:
        _remove(scope, other)
    if mine is None:
        return _send(scope, holds=proved)
    if labels.terminating(mine):
        return Wait(_LOOK, Reason.PROBE_RUNNING, "waiting for an earlier probe to go", holds=proved)
    return _judge(scope, mine, holds=proved)


def image(prefix: str) -> str:
    """The probe's image, from the host's mirror where it has one."""
    return f"{prefix.rstrip('/')}/{IMAGE}" if prefix else IMAGE


def container(prefix: str, line: str, name: str = "probe") -> Object:
    """Of a pod that runs a line of the shell, with the least it needs."""
    return {
        "name": name,
        "image": image(prefix),
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", line],
        "resources": control_plane.PROBE.resources(),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def once(prefix: str, line: str) -> Object:
    """The spec of a pod in the tenant's cluster that runs a line of the shell, with no right and no token."""
    return {
        "restartPolicy": "Never",
        "serviceAccountName": PROBE_ACCOUNT,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "enableServiceLinks": False,
        "containers": [container(prefix, line)],
    }


def _recent(scope: Scope) -> bool:
    """Whether the last proof is of this generation and young; noted where no tenant can write."""
    seen = scope.namespace or {"metadata": {}}
    generation, _, at = seen["metadata"].get("annotations", {}).get(labels.PROBED, "").partition(" ")
    if generation != str(scope.desired.generation) or not at:
        return False
    return scope.now() - datetime.fromisoformat(at) < EVERY


def _probes(scope: Scope) -> tuple[Object | None, list[Object]]:
    found = scope.tenant.find(PODS, SYSTEM_NAMESPACE, labels=LABEL)
    mine = next((p for p in found if p["metadata"]["name"] == _name(scope)), None)
    return mine, [p for p in found if p is not mine and not labels.terminating(p)]


def _name(scope: Scope) -> str:
    return f"sandbox-probe-{scope.desired.generation}"


def _send(scope: Scope, *, holds: bool) -> Outcome:
    prepare_namespace(scope)
    scope.tenant.create(PODS, _pod(scope))
    return Wait(_LOOK, Reason.PROBE_RUNNING, "a probe was sent to read its kernel from inside", holds=holds)


def _judge(scope: Scope, pod: Object, *, holds: bool) -> Outcome:
    said = pods.said(pod)
    if pod.get("status", {}).get("phase") == "Failed":
        _remove(scope, pod)
        return Wait(1.0, Reason.NOT_READY, f"the probe failed and is sent anew: {pods.shorten(said)}")
    if not said:
        return _unanswered(scope, pod, holds=holds)
    wanted = scope.effective.sandbox
    seen = sandbox_proof.read(said)
    kernels = _node_kernels(scope) if wanted in sandbox_proof.BY_NODE_KERNELS else frozenset()
    fault = sandbox_proof.fault(wanted, seen, kernels)
    if fault:
        _remove(scope, pod)
        message = (
            f"a pod ran outside the sandbox {wanted.value!r}: {pods.shorten(fault)}; it saw"
            f" {pods.shorten(said)!r}; an admin checks the host's policies, RuntimeClass and container runtime"
        )
        return Stall(Reason.SANDBOX_NOT_ENFORCED, message)
    note = {labels.PROBED: f"{scope.desired.generation} {scope.now().isoformat()}"}
    scope.host.kube.annotate(NAMESPACES, scope.desired.namespace, note)
    _remove(scope, pod)
    return Done(pods.shorten(sandbox_proof.told(wanted, seen)))


def _node_kernels(scope: Scope) -> frozenset[str]:
    """What the host's nodes run at this moment."""
    return frozenset(nodes.facts(node).kernel for node in scope.host.kube.find(NODES))


def _unanswered(scope: Scope, pod: Object, *, holds: bool) -> Outcome:
    if scope.stuck(pod, _STUCK):
        _remove(scope, pod)
    reason, message = pods.explain([pod], "sandbox probe")
    if reason is Reason.WAITING:
        message = _refusal(scope) or message
    # While it merely runs, the older proof stands; a probe that cannot run is no proof.
    running = reason in {Reason.WAITING, Reason.NOT_READY}
    return Wait(_LOOK, Reason.PROBE_RUNNING if running else reason, message, holds=holds and running)


def _refusal(scope: Scope) -> str:
    """Why the host does not take the probe, as vCluster's syncer tells it."""
    fields = f"involvedObject.kind=Pod,involvedObject.name={_name(scope)},type=Warning"
    said = pods.last_words(scope.tenant.find(EVENTS, SYSTEM_NAMESPACE, fields=fields))
    return f"sandbox probe: {said}" if said else ""


def _remove(scope: Scope, pod: Object) -> None:
    scope.tenant.delete(PODS, pod["metadata"]["name"], SYSTEM_NAMESPACE, grace=0)


def _pod(scope: Scope) -> Object:
    key, _, value = LABEL.partition("=")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _name(scope), "namespace": SYSTEM_NAMESPACE, "labels": {key: value}},
        "spec": once(scope.desired.host.image_prefix, _COMMAND),
    }
