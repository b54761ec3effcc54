"""The lab's network: a switch in a namespace of its own, one link to this machine, one to each node.

This machine gets one link, its routes and one nftables table; it forwards
nothing and none of its sysctls change. The nodes have no default route and no
IPv6, so a packet of the lab has nowhere to go but the lab.

Connections from this machine to ClusterIPs come from an address of their own
and pass the control-plane node, whose kube-proxy rewrites them; the other
nodes send answers to that address back the same way. So nothing needs
masquerading and NetworkPolicies see one and the same client address anywhere.
"""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab import instance
from lab.shell import run, succeeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.instance import Instance, Node
    from lab.namespaces import Namespace

QUEUE: Final = 100
WIDE: Final = 8  # bits
SWITCH: Final = "switch0"

_NO_IPV6: Final = (("net.ipv6.conf.all.disable_ipv6", 1), ("net.ipv6.conf.default.disable_ipv6", 1))
_QUIET: Final = (  # no redirects around the node that rewrites addresses, no guesses about asymmetric ways
    ("net.ipv4.conf.all.send_redirects", 0),
    ("net.ipv4.conf.default.send_redirects", 0),
    ("net.ipv4.conf.all.accept_redirects", 0),
    ("net.ipv4.conf.default.accept_redirects", 0),
    ("net.ipv4.conf.all.rp_filter", 0),
    ("net.ipv4.conf.default.rp_filter", 0),
)


def routes() -> list[IPv4Network]:
    """Give the networks this machine has a route to, but for those as wide as a default route.

    A private network (VPN) that takes all of 10.0.0.0/8 leaves no other choice
    than a piece of it: the lab's routes are narrower and win while it runs.
    """
    listed = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]) or "[]")
    words = {route["dst"] for route in listed if route.get("type") not in {"local", "broadcast"}} - {
        "default"
    }
    networks = (IPv4Network(word, strict=False) for word in words)
    return [network for network in networks if network.prefixlen > WIDE]


def is_free(slot: int, taken: Sequence[IPv4Network]) -> bool:
    """Tell whether none of ``taken`` meets the addresses of a slot."""
    block = instance.Ranges(slot).block
    return not any(block.overlaps(network) for network in taken)


def connect(lab: Instance, switch: Namespace, nodes: Sequence[tuple[Node, Namespace]]) -> None:
    """Make all links, addresses, routes and filters of a lab."""
    if not Path("/proc/sys/net/bridge").exists():
        # Without it pods on one bridge would pass each other unseen by any policy.
        run(["modprobe", "br_netfilter"])
    _make_switch(switch)
    _connect_machine(lab, switch)
    for index, (node, namespace) in enumerate(nodes):
        _connect_node(lab, node, index, switch, namespace)
    _route_machine(lab)


def disconnect(lab: Instance) -> None:
    """Remove what ``connect`` made on this machine's side; what is gone already is fine."""
    succeeds(["ip", "link", "delete", lab.link])
    succeeds(["ip", "route", "delete", "unreachable", str(lab.ranges.block)])
    succeeds(["nft", "delete", "table", "inet", lab.table])


def filters(lab: Instance) -> str:
    """Give this machine's nftables rules: the lab reaches its API server here and nothing else."""
    return f"""
table inet {lab.table}
delete table inet {lab.table}
table inet {lab.table} {{
  chain forward {{
    type filter hook forward priority -10; policy accept;
    iifname "{lab.link}" counter drop
    oifname "{lab.link}" counter drop
  }}
  chain input {{
    type filter hook input priority -10; policy accept;
    iifname "{lab.link}" jump from_lab
  }}
  chain from_lab {{
    ct state established,related accept
    ip daddr {lab.ranges.machine} tcp dport {instance.API_PORT} accept
    ip protocol icmp accept
    counter drop
  }}
}}
"""


def _make_switch(switch: Namespace) -> None:
    # Nodes filter for themselves; the switch must not look into what it passes.
    _set(
        switch, ("net.bridge.bridge-nf-call-iptables", 0), ("net.bridge.bridge-nf-call-ip6tables", 0), *_QUIET
    )
    _disable_ipv6(switch)
    switch.run("ip", "link", "add", SWITCH, "type", "bridge", "stp_state", "0", "forward_delay", "0")
    switch.run("ip", "link", "set", SWITCH, "up")


def _connect_machine(lab: Instance, switch: Namespace) -> None:
    run(["ip", "link", "add", lab.link, "type", "veth", "peer", "name", "machine", "netns", switch.net_path])
    switch.run("ip", "link", "set", "machine", "master", SWITCH, "up")
    # No IPv6 on the link: that setting belongs to the link and goes with it.
    run(["sysctl", "-eqw", f"net.ipv6.conf.{lab.link}.disable_ipv6=1"])
    run(["ip", "address", "add", f"{lab.ranges.machine}/{lab.ranges.link.prefixlen}", "dev", lab.link])
    run(["ip", "address", "add", f"{lab.ranges.client}/32", "dev", lab.link])
    run(["ip", "link", "set", lab.link, "up"])
    run(["nft", "-f", "-"], stdin=filters(lab))


def _route_machine(lab: Instance) -> None:
    first = str(lab.nodes[0].address)
    for node in lab.nodes:
        run(["ip", "route", "add", str(node.pods), "via", str(node.address), "src", str(lab.ranges.machine)])
    run(["ip", "route", "add", str(lab.ranges.services), "via", first, "src", str(lab.ranges.client)])
    # The rest of the block would follow the default route and leave the machine.
    run(["ip", "route", "add", "unreachable", str(lab.ranges.block)])


def _connect_node(lab: Instance, node: Node, index: int, switch: Namespace, namespace: Namespace) -> None:
    port = f"node{index}"
    switch.run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace.net_path)
    switch.run("ip", "link", "set", port, "master", SWITCH, "up")
    forwarding = (("net.ipv4.ip_forward", 1), ("net.bridge.bridge-nf-call-iptables", 1))
    _set(namespace, *_QUIET, *forwarding, ("net.bridge.bridge-nf-call-ip6tables", 1))
    _disable_ipv6(namespace)
    namespace.run("ip", "link", "set", "lo", "up")
    namespace.run("ip", "address", "add", f"{node.address}/{lab.ranges.link.prefixlen}", "dev", "eth0")
    namespace.run("ip", "link", "set", "eth0", "up")
    for other in lab.nodes:
        if other.name != node.name:
            namespace.run("ip", "route", "add", str(other.pods), "via", str(other.address))
    if node.is_worker:
        namespace.run("ip", "route", "add", f"{lab.ranges.client}/32", "via", str(lab.nodes[0].address))
    _enforce(lab, namespace)


def _enforce(lab: Instance, namespace: Namespace) -> None:
    """Send every connection's first packet to the policy engine; without one listening nothing passes.

    INPUT as well, for what a pod sends to its own node: kubelet ports and the
    like. Not NEW but all that is not known: a connection whose entry the engine
    deleted may come back as INVALID. IPv6 the engine does not judge: closed.
    """
    known = ("-m", "conntrack", "!", "--ctstate", "ESTABLISHED,RELATED")
    judge = (*known, "-j", "NFQUEUE", "--queue-num", str(QUEUE))
    namespace.run("iptables", "-w", "-A", "FORWARD", *judge)
    namespace.run("iptables", "-w", "-A", "INPUT", "-s", str(lab.ranges.all_pods), *judge)
    for chain in ("INPUT", "FORWARD", "OUTPUT"):
        namespace.run("ip6tables", "-w", "-P", chain, "DROP")


def _disable_ipv6(namespace: Namespace) -> None:
    # -e: a kernel without IPv6 has nothing to switch off.
    namespace.run("sysctl", "-eqw", *(f"{name}={value}" for name, value in _NO_IPV6))


def _set(namespace: Namespace, *sysctls: tuple[str, int]) -> None:
    namespace.run("sysctl", "-qw", *(f"{name}={value}" for name, value in sysctls))
