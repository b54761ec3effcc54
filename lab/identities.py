"""Who is who in the cluster: every certificate and kubeconfig a lab needs, written on each start."""

from __future__ import annotations

import base64
import json
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from lab import files, pki

if TYPE_CHECKING:
    from lab.instance import Instance, Node

LOCALHOST = IPv4Address("127.0.0.1")
CLIENTS = {  # file name -> user; what they may do is bound in manifests/ or by Kubernetes itself
    "controller-manager": "system:kube-controller-manager",
    "scheduler": "system:kube-scheduler",
    "local-path-provisioner": "atoll:lab:local-path-provisioner",
    "kwok": "atoll:lab:kwok",
}


def write(lab: Instance) -> str:
    """Write all keys, certificates and kubeconfigs of a lab; give the administrator's kubeconfig.

    That one is left to the caller: people take its presence as the API server's.
    """
    authority = pki.authority(lab.pki / "ca", "atoll-lab")
    pki.signing_key(lab.pki / "service-accounts")
    _write_api_server(lab, authority)
    for file, user in CLIENTS.items():
        files.write(lab.pki / f"{file}.kubeconfig", kubeconfig(lab, authority, authority.issue(user)))
    for node in lab.nodes:
        _write_node(lab, authority, node)
    admin = authority.issue("atoll:lab:admin", groups=("system:masters",))
    admin.save(lab.pki / "admin")
    return kubeconfig(lab, authority, admin)


def kubeconfig(lab: Instance, authority: pki.Authority, pair: pki.Pair) -> str:
    """Give a kubeconfig that carries its own keys (JSON, which is YAML too)."""
    cluster = {"server": lab.api_url, "certificate-authority-data": _encode(authority.pem)}
    user = {"client-certificate-data": _encode(pair.certificate), "client-key-data": _encode(pair.key)}
    value = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "atoll-lab", "cluster": cluster}],
        "users": [{"name": "atoll-lab", "user": user}],
        "contexts": [{"name": "atoll-lab", "context": {"cluster": "atoll-lab", "user": "atoll-lab"}}],
        "current-context": "atoll-lab",
    }
    return json.dumps(value, indent=2) + "\n"


def _write_api_server(lab: Instance, authority: pki.Authority) -> None:
    names = (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    )
    hosts = (lab.ranges.machine, lab.ranges.services[1], LOCALHOST, "localhost", *names)
    authority.issue("kube-apiserver", hosts=hosts).save(lab.pki / "apiserver")
    authority.issue("atoll:lab:apiserver", groups=("system:masters",)).save(
        lab.pki / "apiserver-kubelet-client"
    )
    front = pki.authority(lab.pki / "front-proxy-ca", "atoll-lab-front-proxy")
    front.issue("front-proxy-client").save(lab.pki / "front-proxy-client")


def _write_node(lab: Instance, authority: pki.Authority, node: Node) -> None:
    """Write what the processes of a node need into its own folder: they see no other one of the lab."""
    folder = node.data / "pki"
    files.write(folder / "ca.crt", authority.pem, mode=0o644)
    authority.issue(node.name, hosts=(node.address, node.name)).save(folder / "kubelet")
    kubelet = authority.issue(f"system:node:{node.name}", groups=("system:nodes",))
    for file, pair in {
        "kubelet": kubelet,
        "kube-proxy": authority.issue("system:kube-proxy"),
        "netpol": authority.issue("atoll:lab:netpol"),
    }.items():
        files.write(folder / f"{file}.kubeconfig", kubeconfig(lab, authority, pair))


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
