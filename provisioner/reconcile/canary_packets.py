"""Proof by packets before a tenant gets access: two pods in its namespace, under its sandbox and its rules.

One listens and the other tries: its fellow must answer, or silence would prove nothing;
the host must not. They run while the control plane starts, so that nobody waits for them; only
what comes after both may let a tenant in. Once a cluster is in use, its isolation reports do this.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Wait
from provisioner.ports import NAMESPACES, PODS, SERVICES
from provisioner.reconcile import addresses, canary_pods, labels, packets, pods
from tenancy.enums import Reason

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope

LISTENS: Final = f"{canary_pods.NAME}-listens"
TRIES: Final = f"{canary_pods.NAME}-tries"
_SHOWN: Final = "pods of the namespace reach one another and nothing of the host"
_PORT: Final = 8080
_FELLOW: Final = "fellow"
_SILENCE: Final = 0.4
"""Seconds without an answer that count as none: pods, nodes and the host's API are one network."""
_END: Final = "end"
_LOOK: Final = 0.25
_AGAIN: Final = 5.0
_STUCK: Final = timedelta(minutes=1)
"""Canaries that told nothing by then are thrown away and sent anew."""
# Rules for a new pod's address, and for a new Service, reach the nodes within a moment.
_WAIT: Final = """\
i=0
until timeout 0.4 nc {address} {port} -e true 2>/dev/null || [ $i -ge 100 ]; do i=$((i+1)); sleep 0.05; done
"""


def proven(scope: Scope) -> Outcome:
    """Sends them and judges what they tell, anew as long as it is not as it must be."""
    if not _needed(scope):
        return Done(_SHOWN)
    told = scope.host.kube.log(TRIES, scope.desired.namespace).splitlines()
    if _END not in told:
        return _unanswered(scope)
    _remove(scope)
    fault = _fault([t for t in map(packets.read, told) if t])
    if fault:
        return Wait(_AGAIN, Reason.GUARD_RAILS_OPEN, f"{fault}; it is tried again every few seconds")
    note = {labels.TRAFFIC: scope.now().isoformat()}
    scope.host.kube.annotate(NAMESPACES, scope.desired.namespace, note)
    return Done(_SHOWN)


def _needed(scope: Scope) -> bool:
    seen = (scope.namespace or {"metadata": {}})["metadata"].get("annotations", {})
    return not scope.desired.ever_ready and labels.TRAFFIC not in seen


def _canaries(scope: Scope) -> dict[str, Object]:
    found = scope.host.kube.find(PODS, scope.desired.namespace, labels=f"{labels.SYNCED}={canary_pods.NAME}")
    return {pod["metadata"]["name"]: pod for pod in found}


def _send(scope: Scope) -> None:
    kube, facts = scope.host.kube, scope.desired.host.facts
    kube.create(PODS, canary_pods.runs(scope, LISTENS, f"exec httpd -f -p {_PORT}"))
    address = kube.apply(SERVICES, _service(scope))["spec"]["clusterIP"]
    aims = [(_FELLOW, addresses.pair(address, _PORT)), *packets.closed(facts, kube)]
    first = _WAIT.format(address=address, port=_PORT)
    script = f"{packets.function(_SILENCE)}{first}{packets.tries(aims)}echo {_END}\n"
    kube.create(PODS, canary_pods.runs(scope, TRIES, script))


def _service(scope: Scope) -> Object:
    """An address for the listener that is known before it runs."""
    return {
        "apiVersion": SERVICES.api,
        "kind": SERVICES.name,
        "metadata": labels.metadata(scope.desired, canary_pods.NAME),
        "spec": {"selector": {"app": LISTENS}, "ports": [{"port": _PORT, "protocol": "TCP"}]},
    }


def _unanswered(scope: Scope) -> Outcome:
    found = _canaries(scope)
    if any(map(labels.terminating, found.values())):
        return Wait(_LOOK, Reason.PROBE_RUNNING, "waiting for earlier canaries to go")
    if TRIES not in found:
        _send(scope)
        return Wait(_LOOK, Reason.PROBE_RUNNING, "canary pods were sent to try what must be closed")
    if pods.ended(found[TRIES]) or scope.stuck(found[TRIES], _STUCK):
        _remove(scope)
    reason, message = pods.explain(found.values(), "canary pods")
    running = reason in {Reason.WAITING, Reason.NOT_READY}
    return Wait(_LOOK, Reason.PROBE_RUNNING if running else reason, message)


def _remove(scope: Scope) -> None:
    kube, namespace = scope.host.kube, scope.desired.namespace
    for name in (LISTENS, TRIES):
        kube.delete(PODS, name, namespace, grace=0)
    kube.delete(SERVICES, canary_pods.NAME, namespace)


def _fault(told: list[tuple[str, str, str]]) -> str:
    """What is not as it must be, and who mends it; empty when all is."""
    fellow = next((word for what, _, word in told if what == _FELLOW), "not tried")
    if fellow != packets.OPEN:
        return (
            f"pods of the namespace do not reach one another ({fellow}), so what they do not reach proves nothing:"
            " an admin checks the host's network plugin and kube-proxy"
        )
    others = [t for t in told if t[0] != _FELLOW]
    reached = [f"{what} {address} ({word})" for what, address, word in others if word not in packets.CLOSED]
    if reached or not others:
        return (
            f"a pod of the namespace reaches {', '.join(reached) or 'nothing that was tried'}: an admin checks that"
            " the host's network plugin enforces NetworkPolicy, also for addresses of nodes"
        )
    return ""
