"""What the cluster itself needs inside: DNS, sandbox, storage class, rights. Manifests lie in lab/manifests."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

import yaml

from lab import files, images, view

if TYPE_CHECKING:
    from lab.client import Client
    from lab.instance import Instance

MANIFESTS: Final = Path(__file__).parent / "manifests"
APPLIED: Final = ("rbac", "sandbox", "dns", "storage")
STORAGE_CLASS: Final = "local-path"
RUNTIME_CLASS: Final = "gvisor"

_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_PLACES: Final = {  # kind -> path before the name
    "ClusterRole": f"{_RBAC}/clusterroles",
    "ClusterRoleBinding": f"{_RBAC}/clusterrolebindings",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "Namespace": "/api/v1/namespaces",
    "Role": _RBAC + "/namespaces/{namespace}/roles",
    "RoleBinding": _RBAC + "/namespaces/{namespace}/rolebindings",
    "RuntimeClass": "/apis/node.k8s.io/v1/runtimeclasses",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
}


def apply(lab: Instance, client: Client) -> None:
    """Make the cluster have what the manifests say."""
    for name in APPLIED:
        for value in yaml.safe_load_all(render(lab, name)):
            client.apply(place(value), value)


def write(lab: Instance) -> None:
    """Write the files that processes outside the cluster read."""
    paths = [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [str(view.HOME / "volumes")]}]
    files.write(lab.data / "local-path.json", json.dumps({"nodePathMap": paths, "cmdTimeoutSeconds": 60}))
    files.write(lab.data / "local-path-helper.yaml", render(lab, "local-path-helper"))
    # No placeholders of ours in there: kwok has its own.
    files.write(lab.data / "kwok.yaml", (MANIFESTS / "kwok.yaml").read_text())


def render(lab: Instance, name: str) -> str:
    """Give a manifest with this lab's values."""
    return Template((MANIFESTS / f"{name}.yaml").read_text()).substitute(
        dns=lab.ranges.dns,
        coredns_image=images.COREDNS_IMAGE,
        busybox_image=images.BUSYBOX_IMAGE,
    )


def place(value: dict[str, Any]) -> str:
    """Give the API path of an object."""
    metadata = value["metadata"]
    folder = _PLACES[value["kind"]].format(namespace=metadata.get("namespace", ""))
    return f"{folder}/{metadata['name']}"


def are_there(client: Client) -> bool:
    """Tell whether DNS is available and the classes others ask for are there."""
    deployment = client.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns") or {}
    available = deployment.get("status", {}).get("availableReplicas", 0)
    runtime = client.get(f"/apis/node.k8s.io/v1/runtimeclasses/{RUNTIME_CLASS}")
    storage = client.get(f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE_CLASS}")
    return bool(available and runtime and storage)
