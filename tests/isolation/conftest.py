"""A lab, a copy of the policies on it, and two tenants' namespaces that only this copy binds."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest

from lab import api
from tests.isolation.host import Host, client, eventually
from tests.isolation.shapes import STATEFULSETS, control_plane, named, pod

if TYPE_CHECKING:
    from collections.abc import Iterator

ANYTHING = [
    {"apiGroups": groups, "resources": ["*"], "verbs": ["*"]}
    for groups in (
        ["", "apps", "batch", "networking.k8s.io", "storage.k8s.io", "discovery.k8s.io"],
        ["rbac.authorization.k8s.io", "resource.k8s.io", "authorization.k8s.io", "autoscaling", "policy"],
    )
]
"""Far more than anybody has, so that policies are what refuses; but nothing over the policies."""


@pytest.fixture(scope="package")
def host(lab_home) -> Iterator[Host]:
    lab = api.describe(lab_home)
    with client(lab.kubeconfig) as asked:
        made = Host(asked, lab.bin_dir / "helm", f"iso-{secrets.token_hex(4)}")
        for document in (documents := made.documents()):
            made.install(document)
        try:
            prepare(made)
            yield made
        finally:
            clean(made, documents)


def prepare(host: Host) -> None:
    for name in (host.tenant, host.other, host.mapped):
        host.make("/api/v1/namespaces", namespace(host, name))
        accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
        host.make(accounts, named("ServiceAccount", "vc-workload-cluster"))
    for kind, body in cluster_wide(host):
        host.make(kind, body)
    for path, body in contents(host):
        host.make(path, body)
    for name in (host.tenant, host.mapped):
        place(host, name)
    waits = control_plane({"schedulingGates": [{"name": "example.com/never"}]})
    waits["metadata"]["labels"] = {"release": "cluster"}  # no pod of the StatefulSet's below
    host.make(f"/api/v1/namespaces/{host.mapped}/serviceaccounts", named("ServiceAccount", "vc-cluster"))
    path = f"/api/v1/namespaces/{host.mapped}/pods"
    assert host.send("POST", path, waits, who=STATEFULSETS).status == 201


def place(host: Host, namespace: str) -> None:
    """A pod that waits for ever, to be changed by attacks."""
    eventually(
        lambda: host.send("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default").status == 200,
        "ready",
    )
    running = pod({"schedulingGates": [{"name": "example.com/never"}]}, meta={"name": "running"})
    host.make(f"/api/v1/namespaces/{namespace}/pods", running)


def namespace(host: Host, name: str) -> dict[str, Any]:
    body = named("Namespace", name)
    body["metadata"] |= {
        "labels": {
            host.label: "",
            "tenancy.atoll.internal/runtime-class": "iso",
            # Nobody sets it on a tenant's; here the policy has to refuse what the API server would then allow.
            "resource.kubernetes.io/admin-access": "true",
        },
        "annotations": {
            "tenancy.atoll.internal/node-selector": "pool=blue,zone=a",
            "tenancy.atoll.internal/control-plane-selector": "pool=planes",
            "tenancy.atoll.internal/tolerations": "pool=blue:NoSchedule",
            "tenancy.atoll.internal/storage-classes": "iso-disk",
            "tenancy.atoll.internal/closed-cidrs": "10.170.0.1/32,10.170.128.0/20",
            "tenancy.atoll.internal/pod-cidrs": "10.170.0.0/16,10.244.0.0/16",
            "tenancy.atoll.internal/image-registries": "docker.io/library,registry.example.com/team,quay.io",
            "tenancy.atoll.internal/image-digests": "any",
            "tenancy.atoll.internal/platform-images": "registry.k8s.io/pause:3.10",
            "tenancy.atoll.internal/extended-resources": "example.com/granted,example.com/modelled,nvidia.com/gpu,nvidia.com/mig-1g.10gb,volcano.sh/vgpu-number",
            "tenancy.atoll.internal/device-nodes": "example.com/modelled:example.com/model=X1,example.com/modelled:tier=fast",
            "tenancy.atoll.internal/device-classes": "granted",
        },
    }
    if name == host.mapped:
        body["metadata"]["labels"]["tenancy.atoll.internal/user-namespaces"] = "required"
        body["metadata"]["annotations"]["tenancy.atoll.internal/image-digests"] = "required"
        body["metadata"]["annotations"]["tenancy.atoll.internal/device-classes"] = ""
    return body


def cluster_wide(host: Host) -> list[tuple[str, dict[str, Any]]]:
    rbac = "rbac.authorization.k8s.io"
    subjects = [
        *(
            {"kind": "ServiceAccount", "name": "vc-cluster", "namespace": namespace}
            for namespace in (host.tenant, host.mapped)
        ),
        {"kind": "User", "apiGroup": rbac, "name": "somebody"},
    ]
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": host.mark}
    return [
        (f"/apis/{rbac}/v1/clusterroles", named("ClusterRole", host.mark, f"{rbac}/v1", rules=ANYTHING)),
        (
            f"/apis/{rbac}/v1/clusterrolebindings",
            named("ClusterRoleBinding", host.mark, f"{rbac}/v1", roleRef=role, subjects=subjects),
        ),
        *(
            (
                "/apis/node.k8s.io/v1/runtimeclasses",
                named("RuntimeClass", name, "node.k8s.io/v1", handler="none"),
            )
            for name in ("iso", "iso-other")
        ),
    ]


def claim(name: str) -> dict[str, Any]:
    size = {"requests": {"storage": "1Gi"}}
    spec = {"storageClassName": "iso-disk", "accessModes": ["ReadWriteOnce"], "resources": size}
    return named("PersistentVolumeClaim", name, spec=spec)


def contents(host: Host) -> list[tuple[str, dict[str, Any]]]:
    core = f"/api/v1/namespaces/{host.tenant}"
    template = {
        "metadata": {"labels": {"app": "vcluster"}},
        "spec": {"containers": [{"name": "syncer", "image": "syncer:1"}]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "vcluster"}}, "template": template}
    return [
        (f"{core}/serviceaccounts", named("ServiceAccount", "vc-cluster")),
        (
            f"{core}/resourcequotas",
            named("ResourceQuota", "atoll-quota", spec={"hard": {"configmaps": "20"}}),
        ),
        (f"{core}/services", named("Service", "cluster", spec={"ports": [{"port": 443}]})),
        (f"{core}/secrets", named("Secret", "vc-config-cluster")),
        (f"{core}/persistentvolumeclaims", claim("data-cluster-0")),
        (f"{core}/persistentvolumeclaims", claim("disk")),
        (f"{core}/secrets", named("Secret", "mine")),
        (f"{core}/secrets", named("Secret", "sh.helm.release.v1.cluster.v1", type="helm.sh/release.v1")),
        (
            f"/apis/networking.k8s.io/v1/namespaces/{host.tenant}/networkpolicies",
            named("NetworkPolicy", "atoll-deny", "networking.k8s.io/v1", spec={"podSelector": {}}),
        ),
        (
            f"/apis/apps/v1/namespaces/{host.tenant}/statefulsets",
            named("StatefulSet", "cluster", "apps/v1", spec=spec),
        ),
    ]


def clean(host: Host, documents: list[dict[str, Any]]) -> None:
    for document in documents:
        host.remove(document)
    for path, body in cluster_wide(host):
        host.send("DELETE", f"{path}/{body['metadata']['name']}")
    for name in (host.tenant, host.other, host.mapped):
        host.send("DELETE", f"/api/v1/namespaces/{name}")
