"""The lab's processes as data: what runs where, with which arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lab import images, instance, network, view
from lab.packages import SEARCH_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.instance import Instance, Node

AUDIT_MEGABYTES: Final = 100
AUDIT_FILES: Final = 5


@dataclass(frozen=True, slots=True)
class Component:
    """One process: its name (its log's too), its arguments, further environment, and its node if it has one."""

    name: str
    argv: tuple[str, ...]
    node: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)


def database(lab: Instance, programs: Path) -> Component:
    """Give the store behind the API server: kine over SQLite."""
    return Component(
        "kine",
        (
            f"{programs}/kine",
            # By way of the run folder: a home may have letters that mean something in a URL.
            f"--endpoint=sqlite://{lab.run}/data/kine.db?_journal=WAL&cache=shared&_busy_timeout=30000&_txlock=immediate",
            f"--listen-address=unix://{lab.run}/kine.sock",
            "--metrics-bind-address=0",
            # Of a newer one the API server asks how far it is before each list: up to a second from kine.
            "--emulated-etcd-version=3.5.7",
        ),
    )


def api_server(lab: Instance, programs: Path) -> Component:
    """Give the API server, on this machine's end of the link to the nodes."""
    pki = lab.pki
    return Component(
        "kube-apiserver",
        (
            f"{programs}/kube-apiserver",
            f"--advertise-address={lab.ranges.machine}",
            f"--bind-address={lab.ranges.machine}",
            f"--secure-port={instance.API_PORT}",
            f"--etcd-servers=unix://{lab.run}/kine.sock",
            f"--service-cluster-ip-range={lab.ranges.services}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki}/service-accounts.pub",
            f"--service-account-signing-key-file={pki}/service-accounts.key",
            f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            f"--kubelet-certificate-authority={pki}/ca.crt",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
            f"--proxy-client-key-file={pki}/front-proxy-client.key",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--audit-policy-file={lab.data}/audit-policy.json",
            f"--audit-log-path={lab.audit_log}",
            f"--audit-log-maxsize={AUDIT_MEGABYTES}",
            f"--audit-log-maxbackup={AUDIT_FILES}",
            "--profiling=false",
            "--event-ttl=1h",
            "--shutdown-delay-duration=0s",
            "--v=1",
        ),
    )


def controller_manager(lab: Instance, programs: Path) -> Component:
    """Give the controllers; each acts under its own service account, so that rights mean something."""
    pki, kubeconfig = lab.pki, f"{lab.pki}/controller-manager.kubeconfig"
    return Component(
        "kube-controller-manager",
        (
            f"{programs}/kube-controller-manager",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--bind-address={lab.ranges.machine}",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={pki}/service-accounts.key",
            f"--root-ca-file={pki}/ca.crt",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            f"--cluster-cidr={lab.ranges.all_pods}",
            "--allocate-node-cidrs=false",
            f"--flex-volume-plugin-dir={lab.data}/volume-plugins",  # else it makes one in /usr/libexec
            "--leader-elect=false",
            "--profiling=false",
            "--v=1",
        ),
    )


def scheduler(lab: Instance, programs: Path) -> Component:
    """Give the scheduler."""
    kubeconfig = f"{lab.pki}/scheduler.kubeconfig"
    return Component(
        "kube-scheduler",
        (
            f"{programs}/kube-scheduler",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--bind-address={lab.ranges.machine}",
            "--leader-elect=false",
            "--profiling=false",
            "--v=1",
        ),
    )


def volumes(lab: Instance, programs: Path) -> Component:
    """Give what makes persistent volumes: folders in a node's data."""
    return Component(
        "local-path-provisioner",
        (
            f"{programs}/local-path-provisioner",
            "start",
            f"--config={lab.data}/local-path.json",
            f"--kubeconfig={lab.pki}/local-path-provisioner.kubeconfig",
            "--namespace=local-path-storage",
            f"--helper-image={images.BUSYBOX_IMAGE}",
            f"--helper-pod-file={lab.data}/local-path-helper.yaml",
            "--configmap-name=local-path-config",
            "--service-account-name=default",
        ),
    )


def fake_nodes(lab: Instance, programs: Path) -> Component:
    """Give what plays nodes that are not there."""
    return Component(
        "kwok",
        (
            f"{programs}/kwok",
            f"--kubeconfig={lab.pki}/kwok.kubeconfig",
            f"--config={lab.data}/kwok.yaml",
            "--manage-nodes-with-label-selector=type=kwok",
            f"--cidr={lab.ranges.fake_pods}",
            f"--node-ip={lab.ranges.fake_node}",
            "--node-lease-duration-seconds=40",
        ),
    )


def containerd(node: Node, programs: Path) -> Component:
    """Give a node's container runtime; it finds shims and runtimes beside itself."""
    return Component(
        f"{node.name}-containerd",
        (f"{programs}/containerd", f"--config={view.HOME}/config/containerd.toml"),
        node.name,
        {"PATH": f"{programs}:{SEARCH_PATH}"},
    )


def kubelet(lab: Instance, node: Node, programs: Path) -> Component:
    """Give a node's kubelet."""
    role = "worker" if node.is_worker else "control-plane"
    return Component(
        f"{node.name}-kubelet",
        (
            f"{programs}/kubelet",
            f"--config={view.HOME}/config/kubelet.json",
            f"--kubeconfig={view.HOME}/pki/kubelet.kubeconfig",
            f"--root-dir={view.HOME}/kubelet",
            f"--hostname-override={node.name}",
            f"--node-ip={node.address}",
            f"--node-labels=tenancy.atoll.internal/role={role},tenancy.atoll.internal/lab={lab.id}",
        ),
        node.name,
    )


def kube_proxy(node: Node, programs: Path) -> Component:
    """Give what makes ClusterIPs work on a node."""
    return Component(
        f"{node.name}-kube-proxy",
        (f"{programs}/kube-proxy", f"--config={view.HOME}/config/kube-proxy.json", "--v=1"),
        node.name,
    )


def policies(lab: Instance, node: Node, programs: Path) -> Component:
    """Give what enforces NetworkPolicies on a node."""
    return Component(
        f"{node.name}-netpol",
        (
            f"{programs}/atoll-netpol",
            f"--kubeconfig={view.HOME}/pki/netpol.kubeconfig",
            f"--node={node.name}",
            f"--queue={network.QUEUE}",
            f"--pod-range={lab.ranges.all_pods}",
        ),
        node.name,
    )
