"""Tries of packets from inside pods, and what they are tried at: two tenants, and the host around them."""

from __future__ import annotations

import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lab import api, status
from lab.shell import run, succeeds
from provisioner.adapters.hosts import RealHosts
from provisioner.reconcile import discovery, network
from tests.contract.conftest import access
from tests.fakes.world import FakeGuard
from tests.lab.conftest import CONTROL_PLANE, Cluster, pod
from tests.provisioner.harness import HOST, WANTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tenancy.rules.specs import DesiredCluster

METADATA = "169.254.169.254"
NODE_PORT, METADATA_PORT, KUBELET = 19999, 80, 10250
SERVER, DNS, API = 8080, 1053, 8443
COREDNS = "docker.io/coredns/coredns:1.14.1"
GVISOR = {"runtimeClassName": "gvisor"}
TENANT = {"vcluster.loft.sh/managed-by": "cluster"}
PLANE = {"app": "vcluster", "release": "cluster"}
_WORKER = {"kubernetes.io/hostname": "worker-1"}
_SERVE = f"nc -ll -p {SERVER} -e cat"
_SECONDS = 3
"""A packet that is not answered by then was not let through."""

# Takes TCP connections and answers UDP datagrams as a name server would, in a node's network.
_LISTENER = """
import socket, sys, threading
def tcp(at):
    with socket.create_server(at) as server:
        while True:
            server.accept()[0].close()
def udp(at):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(at)
        while True:
            asked, who = server.recvfrom(2048)
            server.sendto(asked[:2] + bytes([0x81, 0x83]) + asked[4:], who)
for word in sys.argv[1:]:
    host, port = word.split(':')
    for serve in (tcp, udp):
        threading.Thread(target=serve, args=((host, int(port)),)).start()
"""


@dataclass(frozen=True)
class Target:
    """Something that a packet is sent to."""

    name: str
    protocol: str
    """tcp, udp or icmp."""
    address: str
    port: int = 0
    source: int = 0
    """The port it is sent from; 0 for any."""

    @property
    def script(self) -> str:
        """Prints the name when an answer comes."""
        if self.protocol == "icmp":
            attempt = f"ping -c 1 -W {_SECONDS} {self.address}"
        elif self.protocol == "udp":
            # Any answer counts; it names the server only once there is one.
            attempt = f"timeout {_SECONDS} nslookup x.test {self.address}:{self.port} | grep -q Server:"
        else:
            source = f"-p {self.source} " if self.source else ""
            attempt = f"nc {source}-w {_SECONDS} {self.address} {self.port} </dev/null"
        return f"({attempt}) >/dev/null 2>&1 && echo {self.name}"


@dataclass
class Field:
    """The lab with two tenants' namespaces, ``one`` and ``two``, and an ``open`` one without any policy."""

    cluster: Cluster
    mark: str
    facts: Any
    addresses: dict[str, str] = field(default_factory=dict)
    """``one/tenant`` → address of the pod; ``one:dns`` → of the Service; node and machine by name."""

    def space(self, who: str) -> str:
        return f"{self.mark}-{who}"

    def desired(self, who: str) -> DesiredCluster:
        host = replace(HOST, facts=self.facts, client_cidrs=(self.cluster.lab.client_cidr,))
        return replace(WANTED, uid=uuid4(), tenant=who, namespace=self.space(who), host=host)

    def policies(self, who: str) -> tuple[dict[str, Any], ...]:
        """What the provisioner makes in a tenant's namespace."""
        return network.policies(self.desired(who))

    def protect(self, *who: str) -> None:
        self.cluster.apply(*(body for one in who for body in self.policies(one)))

    def answers(self, source: str, targets: Iterable[Target]) -> set[str]:
        """The names of those that answer a pod; ``source`` as ``one/tenant``."""
        space, name = source.split("/")
        script = " & ".join(target.script for target in targets) + " & wait"
        done = self.cluster.attempt("-n", self.space(space), "exec", name, "--", "sh", "-c", script)
        assert "error" not in done.stderr.lower(), done.stderr
        return set(done.stdout.split())

    def heard(self, sources: Iterable[str]) -> dict[str, set[str]]:
        """What answers each of them; all at the same time."""
        asked, everything = tuple(sources), targets(self).values()
        with ThreadPoolExecutor(len(asked)) as pool:
            return dict(zip(asked, pool.map(lambda s: self.answers(s, everything), asked), strict=True))


def targets(found: Field) -> dict[str, Target]:
    """Everything that is tried, by name."""
    at = found.addresses
    listed = [
        Target("metadata-tcp", "tcp", METADATA, METADATA_PORT),
        Target("metadata-udp", "udp", METADATA, METADATA_PORT),
        Target("kubelet-own-node", "tcp", at["worker-1"], KUBELET),
        Target("kubelet-other-node", "tcp", at["control-plane"], KUBELET),
        Target("own-node-by-bridge-tcp", "tcp", at["bridge"], NODE_PORT),
        Target("own-node-by-bridge-udp", "udp", at["bridge"], NODE_PORT),
        Target("own-node-tcp", "tcp", at["worker-1"], NODE_PORT),
        Target("own-node-udp", "udp", at["worker-1"], NODE_PORT),
        Target("other-node-tcp", "tcp", at["control-plane"], NODE_PORT),
        Target("other-node-udp", "udp", at["control-plane"], NODE_PORT),
        Target("host-api-by-address", "tcp", at["machine"], 6443),
        Target("host-api-by-service", "tcp", at["kubernetes"], 443),
        Target("host-dns-tcp", "tcp", at["kube-dns"], 53),
        Target("host-dns-udp", "udp", at["kube-dns"], 53),
        Target("open-pod", "tcp", at["open/control"], SERVER),
    ]
    for who in ("one", "two"):
        listed += [
            Target(f"{who}-tenant", "tcp", at[f"{who}/tenant"], SERVER),
            Target(f"{who}-tenant-from-53", "tcp", at[f"{who}/tenant"], SERVER, 53),
            Target(f"{who}-tenant-from-8443", "tcp", at[f"{who}/tenant"], SERVER, API),
            Target(f"{who}-far", "tcp", at[f"{who}/far"], SERVER),
            Target(f"{who}-dns-udp", "udp", at[f"{who}/dns"], DNS),
            Target(f"{who}-dns-by-service-udp", "udp", at[f"{who}:dns"], 53),
            Target(f"{who}-dns-by-service-tcp", "tcp", at[f"{who}:dns"], 53),
            Target(f"{who}-api", "tcp", at[f"{who}/plane"], API),
            Target(f"{who}-api-by-service", "tcp", at[f"{who}:api"], 443),
            Target(f"{who}-plane-other-port", "tcp", at[f"{who}/plane"], SERVER),
        ]
    return {target.name: target for target in listed}


def pings(found: Field) -> dict[str, Target]:
    """As ``targets``, for who may send them at all."""
    at = found.addresses
    where = {"metadata": METADATA, "own-node": at["worker-1"], "other-node": at["control-plane"]}
    where |= {"machine": at["machine"], "open-pod": at["open/control"]}
    where |= {f"{who}-{name}": at[f"{who}/{name}"] for who in ("one", "two") for name in ("tenant", "far")}
    return {name: Target(name, "icmp", address) for name, address in where.items()}


@contextmanager
def laid_out(home: Path) -> Iterator[Field]:
    """The field, ready to be tried; no policy is in force yet."""
    lab = api.describe(home)
    kube = (
        RealHosts(helm="helm", home=home, chart=home).open(access(f"file:{lab.kubeconfig}"), FakeGuard()).kube
    )
    facts, _ = discovery.discover(kube, {})
    found = Field(Cluster(lab), f"packets-{secrets.token_hex(3)}", facts)
    with ExitStack() as left:
        for who in ("one", "two", "open"):
            left.enter_context(found.cluster.namespace(found.space(who)))
        _people(found)
        _listen(found, left)
        yield found


def _people(found: Field) -> None:
    spaces = {who: found.space(who) for who in ("one", "two", "open")}
    made: dict[str, list[dict[str, Any]]] = {"open": [_pod(spaces["open"], "control", {})]}
    for who in ("one", "two"):
        space = spaces[who]
        made[who] = [
            _pod(space, "tenant", TENANT, **GVISOR),
            _pod(space, "far", TENANT, nodeSelector=CONTROL_PLANE),
            _pod(space, "bare", TENANT),
            _pod(space, "stray", {}),
            _pod(space, "plane", PLANE, command=f"nc -ll -p {API} -e cat & {_SERVE}"),
            _dns(space),
        ]
        found.cluster.apply(
            _service(space, "api", PLANE, 443, API), _service(space, "dns", {"app": "dns"}, 53, DNS)
        )
    found.cluster.apply(*(one for pods in made.values() for one in pods))
    for who, pods in made.items():
        names = [f"pod/{one['metadata']['name']}" for one in pods]
        wait = ("wait", "--for=condition=Ready", "--timeout=120s")
        found.cluster.kubectl("-n", spaces[who], *wait, *names, timeout=130)
        for one in found.cluster.get("-n", spaces[who], "pods")["items"]:
            found.addresses[f"{who}/{one['metadata']['name']}"] = one["status"]["podIP"]
        for one in found.cluster.get("-n", spaces[who], "services")["items"]:
            found.addresses[f"{who}:{one['metadata']['name']}"] = one["spec"]["clusterIP"]


def _pod(
    space: str, name: str, labels: dict[str, str], *, command: str = _SERVE, **spec: Any
) -> dict[str, Any]:
    made = pod(space, name, "sh", "-c", command, **{"nodeSelector": _WORKER, **spec})
    made["metadata"]["labels"] = labels
    return made


def _dns(space: str) -> dict[str, Any]:
    """A tenant's DNS is one of its pods; this one answers every name, as to who asked."""
    made = pod(
        space,
        "dns",
        "/coredns",
        f"-dns.port={DNS}",
        nodeSelector=_WORKER,
        container={"image": COREDNS},
        **GVISOR,
    )
    made["metadata"]["labels"] = {"app": "dns", **TENANT}
    return made


def _service(space: str, name: str, labels: dict[str, str], port: int, target: int) -> dict[str, Any]:
    ports = [
        {"name": protocol.lower(), "protocol": protocol, "port": port, "targetPort": target}
        for protocol in ("TCP", "UDP")
    ]
    metadata = {"name": name, "namespace": space}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": labels, "ports": ports},
    }


def _listen(found: Field, left: ExitStack) -> None:
    """On every node a port of its own, and on the worker the metadata service's address."""
    lab, _ = api.instance_of(found.cluster.lab.home)
    processes = {row["name"]: row["pid"] for row in status.processes(lab)}
    for node in lab.nodes:
        inside = ["nsenter", f"--net=/proc/{processes[f'{node.name}-kubelet']}/ns/net", "--"]
        # Not 0.0.0.0: an answer's address would be that of the way back.
        words = [f"{node.address}:{NODE_PORT}"]
        if node.name == "worker-1":
            run([*inside, "ip", "address", "add", f"{METADATA}/32", "dev", "lo"])
            left.callback(succeeds, [*inside, "ip", "address", "delete", f"{METADATA}/32", "dev", "lo"])
            found.addresses["bridge"] = bridge = str(next(node.pods.hosts()))
            words += [f"{METADATA}:{METADATA_PORT}", f"{bridge}:{NODE_PORT}"]
        server = subprocess.Popen([*inside, sys.executable, "-c", _LISTENER, *words])
        left.callback(server.wait)
        left.callback(server.kill)
        found.addresses[node.name] = str(node.address)
    found.addresses["machine"] = str(lab.ranges.machine)
    for name, space in {"kubernetes": "default", "kube-dns": "kube-system"}.items():
        found.addresses[name] = found.cluster.get("-n", space, "service", name)["spec"]["clusterIP"]
