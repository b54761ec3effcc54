"""What a host can do is offered and proved; what it cannot do is refused at once with the reason."""

from __future__ import annotations

import pytest

from tests.e2e.stack import Team

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
IMAGE = "docker.io/library/busybox:1.36.1"


@pytest.fixture
def trusty(stack):
    """A trusted tenant: it may have its pods on the node's kernel."""
    with stack.client("admin.token") as api:
        assert api.put("/tenants/trusty", json={"spec": {"trust": "trusted"}}).status_code in {200, 201}
        yield Team(api, "trusty")


def test_user_namespaces_are_in_force(stack, trusty, tmp_path):
    """Made, proved from inside, used as any cluster is, and gone."""
    spec = {"isolation": {"sandbox": "userns"}, "persistence": "ephemeral"}
    assert trusty.put("un", spec).status_code == 201
    refused = trusty.put("other", {"isolation": {"sandbox": "kata"}})
    assert (refused.status_code, "no RuntimeClass has the handler kata" in refused.text) == (400, True)
    trusty.wait_ready("un")
    conditions = {c["type"]: c["message"] for c in trusty.get("un").json()["status"]["conditions"]}
    assert "user 0 is " in conditions["SandboxEnforced"]

    kubeconfig, see = trusty.kubeconfig("un", tmp_path), ("--", "cat", "/proc/self/uid_map")
    stack.run_kubectl(kubeconfig, "run", "who", f"--image={IMAGE}", "--restart=Never", "--command", *see)
    ended = "--for=jsonpath={.status.phase}=Succeeded"
    stack.run_kubectl(kubeconfig, "wait", ended, "pod/who", "--timeout=90s")
    inside, outside, _ = (int(word) for word in stack.run_kubectl(kubeconfig, "logs", "who").split())
    assert (inside, outside > 65535) == (0, True)
    (namespace,) = stack.namespaces("trusty", "un")
    pods = stack.host("get", "pods", "-n", namespace, "-l", "vcluster.loft.sh/managed-by")["items"]
    assert [pod["spec"].get("hostUsers") for pod in pods] == [False] * len(pods)
    assert pods
    assert trusty.delete("un").status_code == 202


def test_offers_of_the_lab(demo):
    (host,) = demo.api.get("/tenants/demo/offers").json()["hosts"]
    shared = next(model for model in host["models"] if model["name"] == "shared")
    found = {sandbox["name"]: sandbox for sandbox in shared["sandboxes"]}
    assert [name for name, one in found.items() if one["offered"]] == ["gvisor"]
    assert {name: one["code"] for name, one in found.items() if not one["offered"]} == {
        "kata": "not-offered",
        "vnode": "not-trusted",
        "userns": "not-trusted",
        "none": "not-trusted",
    }
