"""The probe pod of a report: tries from inside what must be closed, and what must be open lest silence prove nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from provisioner.ports import PODS
from provisioner.reconcile import addresses, labels, packets, pods
from provisioner.reconcile.network import API
from provisioner.reconcile.sandbox import once
from tenancy.rules import sandbox_proof
from tenancy.rules.names import SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from uuid import UUID

    from provisioner.ports import Kube, Object
    from tenancy.rules.specs import DesiredReport

LABEL: Final = "isolation-report"
SAID: Final = "said"
"""What the kernel says of itself, line by line."""
OWN_API: Final = "own-api"
OWN_DNS: Final = "own-dns"
_SILENCE: Final = 2
"""Seconds without an answer that count as none."""
_SCRIPT: Final = """\
exec >> /dev/termination-log
{ SANDBOX; } | sed 's/^/said /'
echo "caps $(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)"
[ -e /var/run/secrets/kubernetes.io/serviceaccount/token ] && token=present || token=absent
echo "token $token"
i=0 # rules for a new pod's address reach the nodes within a moment
until timeout 3 nslookup kubernetes.default.svc.cluster.local > /dev/null 2>&1 || [ $i -ge 8 ]; do i=$((i+1)); sleep 1; done
[ $i -lt 8 ] && dns=open || dns=error
echo "net own-dns kubernetes.default.svc.cluster.local $dns"
""".replace("SANDBOX", sandbox_proof.COMMAND)
_OWN: Final = (OWN_API, "kubernetes.default.svc:443")


@dataclass(frozen=True)
class Heard:
    """What the probe told; empty when it told nothing, and then ``why``."""

    facts: dict[str, str] = field(default_factory=dict)
    tried: tuple[tuple[str, str, str], ...] = ()
    """(what, address, word) of each connection."""
    why: str = ""

    def words(self, what: str) -> dict[str, str]:
        """Address → word, of the connections of one kind."""
        return {address: word for kind, address, word in self.tried if kind == what}


def name(report: UUID) -> str:
    """Of the pod: one a report."""
    return f"{LABEL}-{report.hex[:12]}"


def targets(wish: DesiredReport, host: Kube) -> list[tuple[str, str]]:
    """(what, ``address:port``) of everything that must not answer, read from the host."""
    found = list(packets.closed(wish.cluster.host.facts, host, ports=packets.NODE_PORTS))
    if wish.neighbour is not None:
        found.append(("neighbour-api", wish.neighbour.address))
        found += [("neighbour-pod", address) for address in _planes(host, wish.neighbour.namespace)]
    return found


def pod(wish: DesiredReport, aims: list[tuple[str, str]]) -> Object:
    """As any pod of the tenant: it asks for no runtime class, no node, no token."""
    script = packets.function(_SILENCE) + _SCRIPT + packets.tries([_OWN, *aims])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name(wish.uid),
            "namespace": SYSTEM_NAMESPACE,
            "labels": {"app.kubernetes.io/component": LABEL},
        },
        "spec": {**once(wish.cluster.host.image_prefix, script), "activeDeadlineSeconds": 90},
    }


def read(seen: Object) -> Heard:
    """What an ended pod told."""
    message = pods.said(seen)
    if not message:
        return Heard(why="the probe pod ended without a word")
    facts: dict[str, str] = {}
    tried = []
    for line in message.splitlines():
        key, _, rest = line.partition(" ")
        if key == SAID:
            facts[key] = f"{facts.get(key, '')}\n{rest}".strip()
        elif told := packets.read(line):
            tried.append(told)
        elif rest:
            facts[key] = rest
    return Heard(facts, tuple(tried))


def _planes(host: Kube, namespace: str) -> list[str]:
    """The neighbour's control plane by its pod's own address: past every Service."""
    planes = host.find(PODS, namespace, labels=labels.selector(labels.CONTROL_PLANE))
    ips = [p.get("status", {}).get("podIP") for p in planes]
    return [addresses.pair(ip, API) for ip in ips if ip]
