"""The probe pod of a report: tries from inside what must be closed, and what must be open lest silence prove nothing."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from provisioner.ports import NODES, PODS
from provisioner.reconcile import labels
from provisioner.reconcile.names import PROBE_ACCOUNT, SYSTEM_NAMESPACE
from provisioner.reconcile.network import API
from provisioner.reconcile.sandbox import image
from provisioner.release import control_plane
from tenancy.rules import sandbox_proof

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from provisioner.ports import Kube, Object
    from tenancy.rules.specs import DesiredReport

LABEL: Final = "isolation-report"
METADATA: Final = "169.254.169.254:80"
SAID: Final = "said"
"""What the kernel says of itself, line by line."""
OWN_API: Final = "own-api"
OWN_DNS: Final = "own-dns"
OPEN: Final = "open"
CLOSED: Final = frozenset({"silent", "unreachable"})
"""No answer, or no way there. A refusal is an answer: the packet arrived."""
NODES_TRIED: Final = 6
"""Nodes whose addresses are tried; a host may have thousands."""
_KUBELET: Final = 10250
_NODE_PORTS: Final = (22, 10256)
"""Secure shell, and kube-proxy's health: what listens on most nodes."""
_SCRIPT: Final = """\
log=/dev/termination-log
try() {
  said=$(timeout 4 nc -w 2 "$2" "$3" </dev/null 2>&1 >/dev/null); code=$?
  case "$code $said" in
    0\\ *|124\\ *|143\\ *) word=open ;;
    *refused*) word=refused ;;
    *"timed out"*) word=silent ;;
    *nreachable*|*"o route"*) word=unreachable ;;
    *) word=error ;;
  esac
  echo "net $1 $2:$3 $word" >> $log
}
{ SANDBOX; } | sed 's/^/said /' >> $log
echo "caps $(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)" >> $log
[ -e /var/run/secrets/kubernetes.io/serviceaccount/token ] && token=present || token=absent
echo "token $token" >> $log
nslookup kubernetes.default.svc.cluster.local > /dev/null 2>&1 && dns=open || dns=error
echo "net own-dns kubernetes.default.svc.cluster.local $dns" >> $log
try own-api kubernetes.default.svc 443 &
""".replace("SANDBOX", sandbox_proof.COMMAND)


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
    found = [("host-api", address) for address in _host_api(wish)]
    for address in _node_addresses(host):
        found.append(("kubelet", f"{address}:{_KUBELET}"))
        found += [("node", f"{address}:{port}") for port in _NODE_PORTS]
    found.append(("metadata", METADATA))
    if wish.neighbour is not None:
        found.append(("neighbour-api", wish.neighbour.address))
        found += [("neighbour-pod", address) for address in _planes(host, wish.neighbour.namespace)]
    return found


def pod(wish: DesiredReport, aims: list[tuple[str, str]]) -> Object:
    """As any pod of the tenant: it asks for no runtime class, no node, no token."""
    lines = [f"try {what} {' '.join(map(shlex.quote, _split(address)))} &" for what, address in aims]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name(wish.uid),
            "namespace": SYSTEM_NAMESPACE,
            "labels": {"app.kubernetes.io/component": LABEL},
        },
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": PROBE_ACCOUNT,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "enableServiceLinks": False,
            "activeDeadlineSeconds": 60,
            "containers": [
                {
                    "name": "probe",
                    "image": image(wish.cluster.host.image_prefix),
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", _SCRIPT + "\n".join(lines) + "\nwait\n"],
                    "resources": control_plane.PROBE.resources(),
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                }
            ],
        },
    }


def read(seen: Object) -> Heard:
    """What an ended pod told."""
    message = ""
    for container in seen.get("status", {}).get("containerStatuses") or []:
        message = str(container.get("state", {}).get("terminated", {}).get("message") or message)
    if not message:
        return Heard(why="the probe pod ended without a word")
    facts: dict[str, str] = {}
    tried = []
    for line in message.splitlines():
        key, _, rest = line.partition(" ")
        if key == SAID:
            facts[key] = f"{facts.get(key, '')}\n{rest}".strip()
        elif key == "net" and len(rest.split()) == len(("what", "address", "word")):
            what, address, word = rest.split()
            tried.append((what, address, word))
        elif rest:
            facts[key] = rest
    return Heard(facts, tuple(tried))


def _host_api(wish: DesiredReport) -> Iterator[str]:
    """Its addresses, and the first of its Services, which is its API's by custom."""
    facts = wish.cluster.host.facts
    if facts is None:
        return
    yield from facts.api_addresses
    for cidr in facts.service_cidrs:
        yield _pair(str(ip_network(cidr)[1]), 443)


def _node_addresses(host: Kube) -> list[str]:
    found = [
        entry["address"]
        for node in host.find(NODES)
        for entry in node.get("status", {}).get("addresses") or []
        if entry["type"] == "InternalIP"
    ]
    return [f"[{ip}]" if ":" in ip else ip for ip in found[:NODES_TRIED]]


def _planes(host: Kube, namespace: str) -> list[str]:
    """The neighbour's control plane by its pod's own address: past every Service."""
    planes = host.find(PODS, namespace, labels=labels.selector(labels.CONTROL_PLANE))
    ips = [p.get("status", {}).get("podIP") for p in planes]
    return [_pair(ip, API) for ip in ips if ip]


def _pair(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _split(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), port
