"""What pods can do in a real lab, and what they cannot."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import threading
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab import api, images, registry, status
from lab.errors import LabError
from lab.shell import run, succeeds
from tests.lab.conftest import CONTROL_PLANE, WORKER, pod, until

pytestmark = [pytest.mark.lab]

GVISOR = {"runtimeClassName": "gvisor", "nodeSelector": WORKER}


@pytest.fixture
def space(cluster, request):
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:40].strip("-")
    with cluster.namespace(f"{name}-{secrets.token_hex(3)}") as name:
        yield name


def test_both_nodes_are_ready_and_labelled(cluster):
    nodes = {item["metadata"]["name"]: item for item in cluster.get("nodes")["items"]}
    assert set(nodes) == {"control-plane", "worker-1", "fake-1", "fake-2"}
    for name, role in {"control-plane": "control-plane", "worker-1": "worker"}.items():
        assert nodes[name]["metadata"]["labels"]["tenancy.atoll.internal/role"] == role
        assert nodes[name]["status"]["nodeInfo"]["kubeletVersion"] == "v1.36.3"
        assert not nodes[name]["spec"].get("taints")


def test_a_gvisor_pod_has_its_own_kernel_and_can_be_asked(cluster, space):
    cluster.run_pods(space, pod(space, "boxed", "sh", "-c", "uname -r; exec sleep 1000", **GVISOR))
    assert cluster.kubectl("-n", space, "logs", "boxed").strip().endswith("gvisor")
    assert cluster.kubectl("-n", space, "exec", "boxed", "--", "uname", "-r").strip().endswith("gvisor")


def test_a_pod_can_have_users_of_its_own(cluster, space):
    script = ("sh", "-c", "cat /proc/self/uid_map; exec sleep 1000")
    cluster.run_pods(space, pod(space, "users", *script, hostUsers=False))
    inside, outside, count = cluster.kubectl("-n", space, "logs", "users").split()
    assert inside == "0"
    assert int(outside) > 65535
    assert int(count) == 65536


@pytest.mark.parametrize("sandbox", [{}, GVISOR], ids=["runc", "gvisor"])
def test_names_of_the_cluster_resolve_and_others_do_not(cluster, space, sandbox):
    cluster.run_pods(space, pod(space, "asker", "sleep", "1000", **sandbox))
    ask = ("-n", space, "exec", "asker", "--", "nslookup")
    assert "Address:" in cluster.kubectl(*ask, "kubernetes.default.svc.cluster.local")
    assert "NXDOMAIN" in cluster.attempt(*ask, "example.org").stdout


def test_a_volume_keeps_its_files_and_goes_with_its_claim(cluster, space):
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": space},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    mounts = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    cluster.apply(claim)
    writer = pod(
        space, "writer", "sh", "-c", "echo kept >/data/file; sleep 1000", volumes=volumes, container=mounts
    )
    cluster.run_pods(space, writer)
    cluster.kubectl("-n", space, "delete", "pod", "writer")
    reader = pod(space, "reader", "sleep", "1000", volumes=volumes, container=mounts)
    cluster.run_pods(space, reader)
    assert cluster.kubectl("-n", space, "exec", "reader", "--", "cat", "/data/file").strip() == "kept"
    folders = list((cluster.lab.home / "lab" / "nodes").glob(f"*/volumes/*_{space}_data"))
    assert len(folders) == 1
    cluster.kubectl("-n", space, "delete", "pod/reader", "pvc/data")
    until(lambda: not folders[0].exists())


def test_policies_open_and_close_traffic_between_nodes_and_on_one(cluster, space):
    cluster.run_pods(
        space,
        pod(space, "server", nodeSelector=WORKER),
        pod(space, "near", "sleep", "1000", nodeSelector=WORKER),
        pod(space, "far", "sleep", "1000", nodeSelector=CONTROL_PLANE),
        pod(space, "boxed", "sleep", "1000", **GVISOR),
    )
    server = cluster.ip(space, "server")
    clients = ("near", "far", "boxed")
    assert [cluster.reaches(space, client, server, 8080) for client in clients] == [True, True, True]
    cluster.apply(_policy(space, {"podSelector": {}, "policyTypes": ["Ingress"]}))
    until(lambda: not any(cluster.reaches(space, client, server, 8080) for client in clients))
    peer = {"podSelector": {"matchLabels": {"app": "far"}}}
    opened = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer]}]}
    cluster.apply(_policy(space, opened))
    until(lambda: cluster.reaches(space, "far", server, 8080))
    assert not cluster.reaches(space, "near", server, 8080)
    assert not cluster.reaches(space, "boxed", server, 8080)


def test_without_a_verdict_nothing_new_passes(cluster, space):
    cluster.run_pods(space, pod(space, "server", nodeSelector=WORKER), pod(space, "client", "sleep", "1000"))
    server = cluster.ip(space, "server")
    assert cluster.reaches(space, "client", server, 8080)
    lab, _ = api.instance_of(cluster.lab.home)
    judge = _row(lab, "worker-1-netpol")["pid"]
    os.kill(judge, signal.SIGSTOP)
    try:
        assert not cluster.reaches(space, "client", server, 8080)
    finally:
        os.kill(judge, signal.SIGCONT)
    until(lambda: cluster.reaches(space, "client", server, 8080))


def test_no_pod_gets_around_policies_by_ipv6(cluster, space):
    cluster.run_pods(
        space, *(pod(space, name, "sleep", "1000", nodeSelector=WORKER) for name in ("one", "other"))
    )
    inside = ("-n", space, "exec", "other", "--", "ip", "-6", "address", "show", "eth0")
    found = re.search(r"inet6 (fe80[^/]*)", cluster.kubectl(*inside))
    if found is None:
        return  # a kernel without IPv6 has no such way
    ping = ("ping", "-c", "1", "-W", "2", "-I", "eth0", found[1])
    assert cluster.attempt("-n", space, "exec", "one", "--", *ping).returncode != 0


def test_this_machine_is_one_address_to_policies_on_any_node(cluster, space):
    nodes = {"on-worker": WORKER, "on-control-plane": CONTROL_PLANE}
    cluster.run_pods(space, *(pod(space, name, nodeSelector=node) for name, node in nodes.items()))
    cluster.kubectl("-n", space, "expose", "pod/on-worker", "--port=80", "--target-port=8080")
    cluster.kubectl("-n", space, "expose", "pod/on-control-plane", "--port=80", "--target-port=8080")
    addresses = [cluster.get("-n", space, "service", name)["spec"]["clusterIP"] for name in nodes]
    until(lambda: all(_connects(address, 80) for address in addresses))
    cluster.apply(_policy(space, {"podSelector": {}, "policyTypes": ["Ingress"]}))
    until(lambda: not any(_connects(address, 80) for address in addresses))
    block = {"ipBlock": {"cidr": cluster.lab.client_cidr}}
    cluster.apply(_policy(space, {"podSelector": {}, "ingress": [{"from": [block]}]}))
    until(lambda: all(_connects(address, 80) for address in addresses))


def test_a_closed_pod_reaches_no_kubelet_not_even_its_own_node_s(cluster, space):
    cluster.run_pods(space, pod(space, "prisoner", "sleep", "1000", nodeSelector=WORKER))
    kubelets = [
        _address(node) for node in cluster.get("nodes")["items"] if "kwok" not in str(node["metadata"])
    ]
    targets = [(kubelet, 10250) for kubelet in kubelets] + [(_machine(cluster), 6443)]
    assert all(cluster.reaches(space, "prisoner", *target) for target in targets)
    cluster.apply(_policy(space, {"podSelector": {}, "policyTypes": ["Egress"]}))
    until(lambda: not any(cluster.reaches(space, "prisoner", *target) for target in targets))


def test_no_pod_reaches_this_machine_beside_its_api_server(cluster, space):
    cluster.run_pods(space, pod(space, "visitor", "sleep", "1000"))
    machine = _machine(cluster)
    with _listener(machine) as port:
        assert _connects(machine, port), "the listener itself must work"
        assert not cluster.reaches(space, "visitor", machine, port)
    assert cluster.reaches(space, "visitor", machine, 6443)


@pytest.mark.parametrize("address", ["169.254.169.254", "172.31.255.254"])
def test_no_pod_reaches_an_address_outside(cluster, space, address):
    cluster.run_pods(space, pod(space, "escapee", "sleep", "1000", nodeSelector=WORKER))
    # A local address of that name: were a way open, it would end here and show.
    run(["ip", "address", "add", f"{address}/32", "dev", "lo"])
    try:
        with _listener(address) as port:
            assert _connects(address, port), "the listener itself must work"
            assert not cluster.reaches(space, "escapee", address, port)
    finally:
        succeeds(["ip", "address", "delete", f"{address}/32", "dev", "lo"])


def test_pretend_accelerators_are_given_out(cluster, space):
    limits = {"resources": {"limits": {"nvidia.com/gpu": "3"}}}
    cluster.run_pods(space, pod(space, "first", "sleep", "1000", container=limits))
    assert cluster.get("-n", space, "pod", "first")["spec"]["nodeName"] == "worker-1"
    cluster.apply(pod(space, "second", "sleep", "1000", container=limits))
    until(lambda: "Insufficient nvidia.com/gpu" in str(cluster.get("-n", space, "pod", "second")["status"]))


def test_a_pod_that_may_runs_on_a_pretend_node(cluster, space):
    toleration = {"key": "kwok.x-k8s.io/node", "operator": "Exists"}
    cluster.run_pods(space, pod(space, "ghost", tolerations=[toleration], nodeSelector={"type": "kwok"}))
    cluster.kubectl("-n", space, "delete", "pod", "ghost", "--timeout=20s")


def test_the_audit_log_tells_who_did_what(cluster, space):
    cluster.kubectl("-n", space, "get", "configmaps")
    told = [
        line for line in cluster.lab.audit_log.read_text().splitlines() if f'"namespace":"{space}"' in line
    ]
    assert any('"verb":"list"' in line and '"resource":"configmaps"' in line for line in told)


def test_an_archive_is_loaded_into_every_node_and_a_bad_one_refused(cluster, space, tmp_path):
    bad = tmp_path / "bad.tar"
    bad.write_bytes(b"nothing like a tar archive")
    with pytest.raises(LabError, match=r"bad\.tar is no tar archive"):
        api.load(cluster.lab.home, bad)
    said: list[str] = []
    archives = images.ensure(cluster.lab.bin_dir, lambda *_: None)
    api.load(cluster.lab.home, min(archives, key=lambda file: file.stat().st_size), said.append)
    assert [line.rpartition(" ")[2] for line in said] == ["control-plane", "worker-1"]


def test_a_process_that_dies_is_started_again(cluster):
    lab, _ = api.instance_of(cluster.lab.home)
    row = _row(lab, "worker-1-kube-proxy")
    run(["kill", "-9", str(row["pid"])])
    until(lambda: _row(lab, "worker-1-kube-proxy")["restarts"] == row["restarts"] + 1)
    until(lambda: not status.look(cluster.lab.home)["problems"])
    seen = status.look(cluster.lab.home)
    assert seen["state"] == "ready"
    assert seen["nodes"] == {"control-plane": "Ready", "worker-1": "Ready"}
    assert all(registry.start_time(entry["pid"]) for entry in seen["processes"])


def test_status_says_so_for_people_and_programs(cluster):
    seen = status.look(cluster.lab.home)
    assert str(cluster.lab.kubeconfig) in status.text(seen)
    assert "worker-1-kubelet" in status.as_json(seen)
    assert IPv4Network(cluster.lab.client_cidr).prefixlen == 32
    assert Path(seen["logs"]).is_dir()


def _row(lab, name):
    return next(row for row in status.processes(lab) if row["name"] == name)


def _policy(space, spec):
    metadata = {"name": "tested", "namespace": space}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _address(node):
    return next(item["address"] for item in node["status"]["addresses"] if item["type"] == "InternalIP")


def _machine(cluster):
    lab, _ = api.instance_of(cluster.lab.home)
    return str(lab.ranges.machine)


def _connects(address, port):
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


@contextmanager
def _listener(address):
    """A server on a free port of a local address that takes every connection and says nothing."""
    with socket.create_server((address, 0)) as server:
        server.settimeout(0.2)
        ended = threading.Event()

        def serve():
            while not ended.is_set():
                try:
                    server.accept()[0].close()
                except TimeoutError:
                    continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join()
