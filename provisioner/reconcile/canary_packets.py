"""Proof by packets before anything of a tenant runs: two pods in its namespace, under its sandbox and its rules.

One listens and the other tries: its fellow must answer, or silence would prove nothing;
the host must not.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Wait
from provisioner.ports import PODS, SERVICES
from provisioner.reconcile import labels, packets, pods
from tenancy.enums import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope

NAME: Final = "atoll-canary"
LISTENS: Final = f"{NAME}-listens"
TRIES: Final = f"{NAME}-tries"
_PORT: Final = 8080
_FELLOW: Final = "fellow"
_SILENCE: Final = 1
"""Seconds without an answer that count as none: the host is at most a network away."""
_LOOK: Final = 0.1
_AGAIN: Final = 5.0
_STUCK: Final = timedelta(minutes=1)
"""Canaries that told nothing by then are thrown away and sent anew."""
# Rules for a new pod's address, and for a new Service, reach the nodes within a moment.
_WAIT: Final = """\
i=0
until timeout 0.5 nc {address} {port} </dev/null >/dev/null 2>&1 || [ $i -ge 100 ]; do i=$((i+1)); sleep 0.1; done
"""


def proven(scope: Scope, pod: Callable[[str, str], Object]) -> Outcome:
    """Sends the canaries and judges what they tell; ``pod`` makes one of a name that runs a line of the shell."""
    found = {p["metadata"]["name"]: p for p in _canaries(scope)}
    if any(labels.terminating(canary) for canary in found.values()):
        return Wait(_LOOK, Reason.PROBE_RUNNING, "waiting for earlier canaries to go")
    if TRIES not in found:
        return _send(scope, pod)
    told = pods.said(found[TRIES])
    if not told:
        return _unanswered(scope, found)
    _remove(scope)
    fault = _fault([t for t in map(packets.read, told.splitlines()) if t])
    if fault:
        return Wait(_AGAIN, Reason.GUARD_RAILS_OPEN, f"{fault}; it is tried again every few seconds")
    return Done()


def _canaries(scope: Scope) -> list[Object]:
    return scope.host.kube.find(PODS, scope.desired.namespace, labels=f"{labels.SYNCED}={NAME}")


def _send(scope: Scope, pod: Callable[[str, str], Object]) -> Outcome:
    kube, facts = scope.host.kube, scope.desired.host.facts
    kube.create(PODS, pod(LISTENS, f"exec httpd -f -p {_PORT}"))
    address = kube.apply(SERVICES, _service(scope))["spec"]["clusterIP"]
    aims = [(_FELLOW, packets.pair(address, _PORT)), *packets.closed(facts, kube)]
    script = packets.function(_SILENCE) + _WAIT.format(address=address, port=_PORT) + packets.tries(aims)
    kube.create(PODS, pod(TRIES, script))
    return Wait(_LOOK, Reason.PROBE_RUNNING, "canary pods were sent to try what must be closed")


def _service(scope: Scope) -> Object:
    """An address for the listener that is known before it runs."""
    return {
        "apiVersion": SERVICES.api,
        "kind": SERVICES.name,
        "metadata": labels.metadata(scope.desired, NAME),
        "spec": {"selector": {"app": LISTENS}, "ports": [{"port": _PORT, "protocol": "TCP"}]},
    }


def _unanswered(scope: Scope, found: dict[str, Object]) -> Outcome:
    tries = found[TRIES]
    made = datetime.fromisoformat(tries["metadata"]["creationTimestamp"])
    if pods.ended(tries) or scope.now() - made > _STUCK:
        _remove(scope)
    reason, message = pods.explain(found.values(), "canary pods")
    running = reason in {Reason.WAITING, Reason.NOT_READY}
    return Wait(_LOOK, Reason.PROBE_RUNNING if running else reason, message)


def _remove(scope: Scope) -> None:
    kube, namespace = scope.host.kube, scope.desired.namespace
    for name in (LISTENS, TRIES):
        kube.delete(PODS, name, namespace, grace=0)
    kube.delete(SERVICES, NAME, namespace)


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
