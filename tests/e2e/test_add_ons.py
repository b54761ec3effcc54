"""A template's add-on inside real clusters: applied, seen to run, changed by the next version, also asleep; removed with the template."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from tests.e2e.stack import wait_for
from tests.support.manifests import config, of

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]
CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gadgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget", "listKind": "GadgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
            }
        ],
    },
}
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tools"}}
GADGET = {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "one"}, "size": 1}


def work(name: str, kind: str, api: str, restart: str, command: str, **spec: Any) -> dict[str, Any]:
    """What runs pods of busybox."""
    container = {
        "name": "main",
        "image": "docker.io/library/busybox:1.36.1",
        "command": ["sh", "-c", command],
    }
    pod = {"terminationGracePeriodSeconds": 1, "restartPolicy": restart, "containers": [container]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    metadata = {"name": name, "namespace": "tools"}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": {"template": template, **spec}}


WEB = work("web", "Deployment", "apps/v1", "Always", "sleep 3600", selector={"matchLabels": {"app": "web"}})
JOB = work("setup", "Job", "batch/v1", "Never", "true")
LAME = deepcopy(WEB)
LAME["spec"]["template"]["spec"]["containers"][0] |= {
    "image": "docker.io/library/busybox:0",
    "imagePullPolicy": "Never",
}
FIRST = (GADGET, config("motd", "tools"), config("old", "tools"), WEB, JOB, CRD, SPACE)
SECOND = (GADGET, config("motd", "tools", "hi"), LAME, CRD, SPACE)
BAD = config("motd", labels={"not a label": "x"})
SMALL = {"resources": {"cpu": "1", "memory": "1Gi", "storage": "1Gi", "pods": 10}}


@pytest.fixture
def admin(stack):
    with stack.client("admin.token") as api:
        yield api


def published(admin, address, spec):
    answer = admin.put(address, json={"spec": spec})
    assert answer.status_code in {200, 201}, answer.text


def template(admin, version, add_on):
    spec = {
        "cluster": {**SMALL, "addOns": [{"name": "motd", "version": add_on}]},
        "locked": ["addOns"],
    }
    published(admin, f"/cluster-templates/greeted/versions/{version}", spec)


def told(demo, name, kind="AddOnsApplied"):
    conditions = demo.get(name).json()["status"]["conditions"]
    return next(one for one in conditions if one["type"] == kind)


def runs(demo, name, version):
    """Whether the add-on of this version was seen to run."""
    status = demo.get(name).json()["status"]
    one = {"name": "motd", "version": version, "status": "True", "reason": "AsWanted", "message": ""}
    return status["addOns"] == [one] and told(demo, name, "AddOnsReady")["status"] == "True"


def wait_running(demo, name, version):
    wait_for(lambda: f"{version} runs: {demo.get(name).text}", lambda: runs(demo, name, version), 120)


def says_what_does_not_run(demo):
    """What it starts finds no image: it is told which and why, and the cluster is Ready all the same."""
    lame = lambda: told(demo, "greeted", "AddOnsReady")  # noqa: E731
    wait_for(lambda: demo.get("greeted").text, lambda: "ErrImageNeverPull" in lame()["message"], 90)
    assert (lame()["status"], lame()["reason"]) == ("False", "AddOnNotRunning")
    assert lame()["message"].startswith("add-on motd 1.1.0, Deployment tools/web: ")
    [state] = demo.get("greeted").json()["status"]["addOns"]
    assert (state["status"], state["message"]) == ("False", lame()["message"])
    assert demo.phase("greeted") == "Ready"


def changes_asleep(demo, admin, spec):
    """It follows its template and sleeps on; what that brings comes when it wakes."""
    assert demo.put("greeted", {**spec, "paused": True}).status_code == 200
    wait_for(lambda: demo.get("greeted").text, lambda: demo.phase("greeted") == "Paused", 120)
    template(admin, "1.3.0", "1.0.0")
    wait_for("it follows", lambda: demo.get("greeted").json()["status"]["template"]["version"] == "1.3.0", 60)
    wait_for(lambda: demo.get("greeted").text, lambda: demo.phase("greeted") == "Paused", 60)
    for kind in ("AddOnsApplied", "AddOnsReady"):
        assert (told(demo, "greeted", kind)["status"], told(demo, "greeted", kind)["reason"]) == (
            "Unknown",
            "Paused",
        )
    [state] = demo.get("greeted").json()["status"]["addOns"]
    assert (state["version"], state["status"], state["reason"]) == ("1.0.0", "Unknown", "Paused")
    assert demo.put("greeted", spec).status_code == 200
    demo.wait_ready("greeted")
    wait_running(demo, "greeted", "1.0.0")


def test_an_add_on_comes_changes_and_goes_with_its_template(stack, demo, admin, tmp_path):
    for version, bodies in (("1.0.0", FIRST), ("1.1.0", SECOND), ("1.2.0", (BAD,))):
        published(admin, f"/add-ons/motd/versions/{version}", {"manifests": of(*bodies)})
    published(admin, "/cluster-templates/greeted", {})
    template(admin, "1.0.0", "1.0.0")
    spec = {"template": {"name": "greeted", "version": "^1.0"}}
    assert demo.put("greeted", spec).status_code == 201
    demo.wait_ready("greeted")
    kubeconfig = demo.kubeconfig("greeted", tmp_path)

    def kubectl(*words):
        return stack.run_kubectl(kubeconfig, *words)

    def texts():
        found = json.loads(kubectl("get", "configmaps", "-n", "tools", "-o", "json"))["items"]
        return {one["metadata"]["name"]: one["data"].get("text") for one in found}

    assert {k: v for k, v in texts().items() if k in {"motd", "old"}} == {"motd": "hello", "old": "hello"}
    assert kubectl("get", "gadget", "one", "-o", "jsonpath={.size}") == "1"
    wait_running(demo, "greeted", "1.0.0")
    assert kubectl("get", "job", "setup", "-n", "tools", "-o", "jsonpath={.status.succeeded}") == "1"
    assert (
        kubectl("get", "deployment", "web", "-n", "tools", "-o", "jsonpath={.status.availableReplicas}")
        == "1"
    )
    kubectl("create", "configmap", "own", "-n", "tools", "--from-literal=text=mine")

    # The next version goes there by itself: one object is changed, one removed, the tenant's own stays.
    template(admin, "1.1.0", "1.1.0")
    wait_for("it follows", lambda: demo.get("greeted").json()["status"]["template"]["version"] == "1.1.0", 60)
    demo.wait_ready("greeted")
    assert {k: v for k, v in texts().items() if k != "kube-root-ca.crt"} == {"motd": "hi", "own": "mine"}

    says_what_does_not_run(demo)

    # An object that the API refuses is named, and its mending goes on by itself.
    template(admin, "1.2.0", "1.2.0")
    wait_for("it is refused", lambda: told(demo, "greeted")["reason"] == "AddOnRefused", 60)
    assert "add-on motd 1.2.0, ConfigMap motd" in told(demo, "greeted")["message"]
    assert texts()["motd"] == "hi", "nothing is removed while something is refused"

    changes_asleep(demo, admin, spec)
    assert {k: v for k, v in texts().items() if k != "kube-root-ca.crt"} == {
        "motd": "hello",
        "old": "hello",
        "own": "mine",
    }

    # Whoever leaves the template is rid of what it brought, but for what may hold their own things.
    assert demo.put("greeted", SMALL).status_code == 200
    demo.wait_ready("greeted")
    assert {k: v for k, v in texts().items() if k != "kube-root-ca.crt"} == {"own": "mine"}
    assert kubectl("get", "gadgets", "-o", "name") == ""
    assert kubectl("get", "deployments", "-n", "tools", "-o", "name") == ""
    assert told(demo, "greeted", "AddOnsReady")["status"] == "True"
    assert "gadgets.example.com" in kubectl("get", "crds", "-o", "name")
    assert "atoll-add-ons" not in kubectl("get", "configmaps", "-n", "atoll-system", "-o", "name")

    assert demo.delete("greeted").status_code == 202
    demo.wait_gone("greeted")
    assert admin.delete("/cluster-templates/greeted").status_code == 200
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        assert admin.delete(f"/add-ons/motd/versions/{version}").status_code == 200
