"""docs/iac/gitops on a real API server: a Secret with which a tenant's cluster is really reached."""

from __future__ import annotations

import base64
import json

import pytest
import yaml

from tests.e2e.stack import REPOSITORY
from tests.iac.stage import run

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
GITOPS = REPOSITORY / "docs" / "iac" / "gitops"
SECRET = "atoll-demo-first"


@pytest.mark.parametrize("form", ["argocd", "flux"])
def test_gitops_secrets_reach_the_cluster(stack, demo, form, tmp_path):
    """One run of the CronJob's script with the rights of its own, as a pod of it would."""
    admin = stack.home / "lab" / "kubeconfig"
    namespace = yaml.safe_load((GITOPS / form / "kustomization.yaml").read_text())["namespace"]
    stack.run_kubectl(admin, "create", "namespace", namespace)
    try:
        stack.run_kubectl(admin, "apply", "-k", str(GITOPS / form))
        _refresh(stack, admin, namespace, tmp_path)
        _refresh(stack, admin, namespace, tmp_path)  # over the one that is there
        secret = stack.host("get", "secret", SECRET, "-n", namespace)
    finally:
        stack.run_kubectl(admin, "delete", "namespace", namespace, "--wait=false")
    assert "annotations" not in secret["metadata"]  # where kubectl would keep a copy
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    kubeconfig = tmp_path / "tenant.yaml"
    kubeconfig.write_text(_argocd(secret, data) if form == "argocd" else data["value"])
    found = stack.run_kubectl(kubeconfig, "get", "namespaces", "-o", "name").split()
    assert {"namespace/default", "namespace/kube-system"} <= set(found)
    assert "namespace/atoll-system" in found  # the tenant's, not the host's


def _refresh(stack, admin, namespace, folder):
    job = stack.host("get", "cronjob", "atoll-refresh", "-n", namespace)
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    token = stack.run_kubectl(admin, "create", "token", "atoll-refresh", "-n", namespace).strip()
    host = yaml.safe_load(admin.read_text())
    host["users"][0]["user"] = {"token": token}
    host["contexts"][0]["context"]["namespace"] = namespace
    pod = folder / "pod.yaml"
    pod.write_text(yaml.safe_dump(host))
    environment = {
        **{one["name"]: one["value"] for one in container["env"]},
        "ATOLL_URL": stack.url,
        "ATOLL_TOKEN": (stack.home / "demo.token").read_text().strip(),
        "KUBECONFIG": str(pod),
        "PATH": f"{stack.kubectl.parent}:/usr/local/bin:/usr/bin:/bin",
    }
    run(["sh", str(GITOPS / "base" / "refresh.sh")], environment, folder)


def _argocd(secret, data):
    """What Argo CD makes of it."""
    assert secret["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "cluster"
    assert set(data) == {"name", "server", "config"}
    config = json.loads(data["config"])
    tls = config["tlsClientConfig"]
    cluster = {"server": data["server"], "certificate-authority-data": tls["caData"]}
    named = {"tls-server-name": tls["serverName"]} if "serverName" in tls else {}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": data["name"], "cluster": {**cluster, **named}}],
            "users": [{"name": "argocd", "user": {"token": config["bearerToken"]}}],
            "contexts": [{"name": "argocd", "context": {"cluster": data["name"], "user": "argocd"}}],
            "current-context": "argocd",
        }
    )
