"""Packets that a probe pod sends, and what must not answer them.

Silence alone proves nothing, so each probe also tries what must be open.
"""

from __future__ import annotations

import shlex
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from provisioner.ports import NODES
from provisioner.reconcile.addresses import pair, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.ports import Kube
    from tenancy.rules.specs import HostFacts

METADATA: Final = "169.254.169.254:80"
OPEN: Final = "open"
CLOSED: Final = frozenset({"silent", "unreachable"})
"""No answer, or no way there. A refusal is an answer: the packet arrived."""
NODES_TRIED: Final = 6
"""Nodes whose addresses are tried; a host may have thousands."""
_KUBELET: Final = 10250
NODE_PORTS: Final = (22, 10256)
"""Secure shell, and kube-proxy's health: what listens on most nodes."""
_TRY: Final = """\
try() {
  said=$(timeout SECONDS nc "$2" "$3" -e true 2>&1); code=$?
  case "$code $said" in
    0\\ *) word=open ;;
    124\\ *|143\\ *|*"timed out"*) word=silent ;;
    *refused*) word=refused ;;
    *nreachable*|*"o route"*) word=unreachable ;;
    *) word=error ;;
  esac
  echo "net $1 $2:$3 $word"
}
"""


def function(seconds: float) -> str:
    """The shell's ``try WHAT ADDRESS PORT``, which tells a line; silence of so many seconds is no answer."""
    return _TRY.replace("SECONDS", str(seconds))


def tries(aims: Iterable[tuple[str, str]]) -> str:
    """Lines of the shell that try (what, ``address:port``) all at once and wait for their ends."""
    return "".join(_line(what, *split(to)) for what, to in aims) + "wait\n"


def closed(facts: HostFacts | None, host: Kube, *, ports: Iterable[int] = ()) -> Iterator[tuple[str, str]]:
    """(what, ``address:port``) of what no pod of a tenant may reach on any host, read from the host.

    ``ports`` of nodes are tried beside their kubelets'.
    """
    for address in _host_api(facts):
        yield "host-api", address
    for address in _node_addresses(host):
        yield "kubelet", pair(address, _KUBELET)
        yield from (("node", pair(address, port)) for port in ports)
    yield "metadata", METADATA


def read(line: str) -> tuple[str, str, str] | None:
    """(what, address, word) of a line that a try told; ``None`` for any other."""
    words = line.split()
    if len(words) != len(("net", "what", "address", "word")) or words[0] != "net":
        return None
    return words[1], words[2], words[3]


def _host_api(facts: HostFacts | None) -> Iterator[str]:
    """Its addresses, and the first of its Services, which is its API's by custom."""
    if facts is None:
        return
    yield from facts.api_addresses
    for cidr in facts.service_cidrs:
        yield pair(str(ip_network(cidr)[1]), 443)


def _node_addresses(host: Kube) -> list[str]:
    found = [
        entry["address"]
        for node in host.find(NODES)
        for entry in node.get("status", {}).get("addresses") or []
        if entry["type"] == "InternalIP"
    ]
    return found[:NODES_TRIED]


def _line(what: str, host: str, port: int) -> str:
    return f"try {what} {shlex.quote(host)} {port} &\n"
