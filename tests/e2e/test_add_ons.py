"""A template's add-on inside real clusters: applied, put back, changed by the next version, removed with the template."""

from __future__ import annotations

import json
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
FIRST = (GADGET, config("motd", "tools"), config("old", "tools"), CRD, SPACE)
SECOND = (GADGET, config("motd", "tools", "hi"), CRD, SPACE)
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


def told(demo, name):
    conditions = demo.get(name).json()["status"]["conditions"]
    return next(one for one in conditions if one["type"] == "AddOnsApplied")


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
    kubectl("create", "configmap", "own", "-n", "tools", "--from-literal=text=mine")

    # The next version goes there by itself: one object is changed, one removed, the tenant's own stays.
    template(admin, "1.1.0", "1.1.0")
    wait_for("it follows", lambda: demo.get("greeted").json()["status"]["template"]["version"] == "1.1.0", 60)
    demo.wait_ready("greeted")
    assert {k: v for k, v in texts().items() if k != "kube-root-ca.crt"} == {"motd": "hi", "own": "mine"}

    # An object that the API refuses is named, and its mending goes on by itself.
    template(admin, "1.2.0", "1.2.0")
    wait_for("it is refused", lambda: told(demo, "greeted")["reason"] == "AddOnRefused", 60)
    assert "add-on motd 1.2.0, ConfigMap motd" in told(demo, "greeted")["message"]
    assert texts()["motd"] == "hi", "nothing is removed while something is refused"
    template(admin, "1.3.0", "1.1.0")
    wait_for("it follows", lambda: demo.get("greeted").json()["status"]["template"]["version"] == "1.3.0", 60)
    demo.wait_ready("greeted")

    # Whoever leaves the template is rid of what it brought, but for what may hold their own things.
    assert demo.put("greeted", SMALL).status_code == 200
    demo.wait_ready("greeted")
    assert {k: v for k, v in texts().items() if k != "kube-root-ca.crt"} == {"own": "mine"}
    assert kubectl("get", "gadgets", "-o", "name") == ""
    assert "gadgets.example.com" in kubectl("get", "crds", "-o", "name")
    assert "atoll-add-ons" not in kubectl("get", "configmaps", "-n", "atoll-system", "-o", "name")

    assert demo.delete("greeted").status_code == 202
    demo.wait_gone("greeted")
    assert admin.delete("/cluster-templates/greeted").status_code == 200
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        assert admin.delete(f"/add-ons/motd/versions/{version}").status_code == 200
