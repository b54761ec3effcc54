"""One lab on this machine: its name, its address ranges, its folders. Nothing here touches the machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

RUN: Final = Path("/run/atoll-lab")
FIRST_BLOCK: Final = 160  # slot s owns 10.(160+s).0.0/16
SLOTS: Final = 64
API_PORT: Final = 6443
CONTROL_PLANE: Final = "control-plane"
MAX_WORKERS: Final = 8


def identify(home: Path) -> str:
    """Name the lab of a home folder: eight hexadecimal digits, the same each time."""
    return hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Ranges:
    """The addresses of a slot; those of two slots never meet."""

    slot: int

    def _cut(self, third: int, prefix: int) -> IPv4Network:
        return IPv4Network((f"10.{FIRST_BLOCK + self.slot}.{third}.0", prefix))

    @property
    def block(self) -> IPv4Network:
        """Everything of this lab."""
        return self._cut(0, 16)

    @property
    def link(self) -> IPv4Network:
        """The network between this machine and the nodes."""
        return self._cut(0, 24)

    @property
    def machine(self) -> IPv4Address:
        """The machine as the nodes see it; the API server listens here."""
        return self.link[1]

    @property
    def client(self) -> IPv4Address:
        """Where this machine's traffic to services comes from, as NetworkPolicies see it."""
        return self.link[2]

    @property
    def services(self) -> IPv4Network:
        """The ClusterIPs."""
        return self._cut(128, 20)

    @property
    def dns(self) -> IPv4Address:
        """The ClusterIP of the cluster's DNS."""
        return self.services[10]

    @property
    def all_pods(self) -> IPv4Network:
        """The pod ranges of all nodes."""
        return self._cut(16, 20)

    @property
    def fake_pods(self) -> IPv4Network:
        """What pods on fake nodes claim to have; nothing is there."""
        return self._cut(192, 20)

    @property
    def fake_node(self) -> IPv4Address:
        """What fake nodes claim to have; nothing is there."""
        return self._cut(255, 24)[1]

    def node(self, index: int) -> IPv4Address:
        """Give the address of the node at ``index``, 0 being the control-plane node."""
        return self.link[11 + index]

    def pods(self, index: int) -> IPv4Network:
        """Give the pod range of the node at ``index``."""
        return self._cut(16 + index, 24)


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may ask of a lab; it is kept in its home for the next start."""

    workers: int = 2
    gpus: int = 0
    fake_nodes: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """One real node: a network and mount namespace with a containerd and a kubelet."""

    name: str
    address: IPv4Address
    pods: IPv4Network
    data: Path  # what it keeps
    sockets: Path  # what it has while it runs
    cgroup: str  # relative to the top of every hierarchy

    @property
    def is_worker(self) -> bool:
        """Tell whether tenants' pods belong here."""
        return self.name != CONTROL_PLANE

    @property
    def containerd(self) -> Path:
        """The socket of its containerd."""
        return self.sockets / "containerd.sock"


@dataclass(frozen=True)
class Instance:
    """A lab: all names, ranges and paths that follow from its home, its slot and its options."""

    home: Path
    slot: int
    options: Options = field(default_factory=Options)

    @cached_property
    def id(self) -> str:
        """The lab's name on this machine."""
        return identify(self.home)

    @cached_property
    def ranges(self) -> Ranges:
        """The lab's addresses."""
        return Ranges(self.slot)

    @cached_property
    def data(self) -> Path:
        """What outlives a stop."""
        return self.home.resolve() / "lab"

    @cached_property
    def run(self) -> Path:
        """What lives only while the lab does; short, as socket paths may have 108 bytes only."""
        return RUN / self.id

    @property
    def link(self) -> str:
        """The machine's end of the link to the nodes (a name may have 15 bytes)."""
        return f"atoll-{self.id}"

    @property
    def table(self) -> str:
        """The nftables table (family inet) that keeps the lab's packets in."""
        return f"atoll_{self.id}"

    @property
    def cgroup(self) -> str:
        """The lab's cgroup, relative to the top of every hierarchy."""
        return f"atoll-lab-{self.id}"

    @property
    def api_url(self) -> str:
        """Where the API server answers."""
        return f"https://{self.ranges.machine}:{API_PORT}"

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The real nodes, the control-plane one first."""
        names = [CONTROL_PLANE, *(f"worker-{number + 1}" for number in range(self.options.workers))]
        return tuple(self._node(index, name) for index, name in enumerate(names))

    def _node(self, index: int, name: str) -> Node:
        return Node(
            name=name,
            address=self.ranges.node(index),
            pods=self.ranges.pods(index),
            data=self.data / "nodes" / name,
            sockets=self.run / name,
            cgroup=f"{self.cgroup}/{name}",
        )

    @property
    def kubeconfig(self) -> Path:
        """Cluster-admin, for people and tests; there only once the API server has answered."""
        return self.data / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.data / "pki"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.data / "logs"

    @property
    def audit_log(self) -> Path:
        """Who did what on this host cluster, one JSON object a line."""
        return self.data / "audit.log"

    @property
    def progress(self) -> Path:
        """What the lab is doing, for those who wait for it."""
        return self.data / "progress.json"

    @property
    def settings(self) -> Path:
        """Slot and options of the last start."""
        return self.data / "instance.json"
