"""Two tenants with a node pool each: whatever one writes, nothing of it runs on the other's node."""

from __future__ import annotations

import json

import pytest

from tenancy.rules.pools import MOVING, POOL, TENANT
from tests.e2e.platform import Platform
from tests.e2e.stack import Team, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]

SECRET = "docker.io/acme/secret:1"
BUSYBOX = "docker.io/library/busybox:1.36.1"
TENANTS = {"acme": ("gold", "worker-1"), "globex": ("silver", "worker-2")}
EVERYTHING = {"tolerations": [{"operator": "Exists"}]}
"""Passes every taint, as far as a tenant's own API server is concerned."""


def pod(name, **spec):
    container = {"name": "c", "image": BUSYBOX, "command": ["sleep", "3600"]}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def affinity(kind, value):
    rules = [{"key": kind, "operator": "In", "values": [value]}]
    terms = {"nodeSelectorTerms": [{"matchExpressions": rules}]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}


def daemon_set(name, **spec):
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod(name, **spec)["spec"]}
    body = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name}, "spec": body}


def wishes(other, pool, node):
    """Every way a tenant can name the other's nodes."""
    theirs = {POOL: pool, TENANT: other}
    toleration = {"key": POOL, "operator": "Equal", "value": pool, "effect": "NoSchedule"}
    return [
        pod("selector", nodeSelector=theirs),
        pod("selector-tolerant", nodeSelector=theirs, tolerations=[toleration]),
        pod("hostname", nodeSelector={"kubernetes.io/hostname": node}, **EVERYTHING),
        pod("name", nodeName=node),
        pod("name-tolerant", nodeName=node, **EVERYTHING),
        pod("affinity", **affinity(POOL, pool), tolerations=[toleration]),
        pod("affinity-hostname", **affinity("kubernetes.io/hostname", node), **EVERYTHING),
        pod("tolerant", **EVERYTHING),
        pod("scheduler", schedulerName="my-own", nodeSelector=theirs),
        daemon_set("everywhere"),
        daemon_set("everywhere-tolerant", **EVERYTHING),
    ]


@pytest.fixture(scope="module")
def platform(stack):
    with stack.client("admin.token") as client:
        yield Platform(stack, client)


@pytest.fixture(scope="module")
def pools(platform):
    """A pool with a node for each of two tenants; all is put back afterwards."""
    for tenant, (pool, node) in TENANTS.items():
        platform.do("PUT", f"/tenants/{tenant}", {"spec": {}})
        spec = {"kind": "dedicated", "tenant": tenant, "sandboxes": ["gvisor"]}
        platform.do("PUT", f"/hosts/lab/pools/{pool}", {"spec": spec})
        platform.move(node, pool, discard=True)
    for _, node in TENANTS.values():
        platform.settled(node)
    yield TENANTS
    for tenant in TENANTS:
        team = Team(platform.api, tenant)
        if team.get("own").status_code == 200:
            team.delete("own")
            team.wait_gone("own")
    for _, node in TENANTS.values():
        platform.move(node, None, discard=True)
    for _, node in TENANTS.values():
        platform.settled(node)


@pytest.fixture(scope="module")
def teams(platform, pools):
    found = {tenant: Team(platform.api, tenant) for tenant in pools}
    for team in found.values():
        assert team.put("own", {"isolation": {"model": "dedicated-pool"}}).status_code == 201
    for team in found.values():
        team.wait_ready("own")
    return found


def test_no_spec_brings_a_pod_onto_the_others_node(stack, platform, pools, teams, tmp_path):
    for tenant, other in (("acme", "globex"), ("globex", "acme")):
        kubeconfig = teams[tenant].kubeconfig("own", tmp_path)
        pool, node = pools[other]
        asked = [*wishes(other, pool, node), pod("plain")]
        for wish in asked:
            path = tmp_path / "wish.json"
            path.write_text(json.dumps(wish))
            stack.run_kubectl(kubeconfig, "-n", "default", "apply", "--validate=false", "-f", str(path))
    for tenant, (_, node) in pools.items():
        (namespace,) = stack.namespaces(tenant, "own")

        def plain(namespace=namespace):
            found = stack.host("get", "pods", "-n", namespace)["items"]
            return next((p for p in found if p["metadata"]["name"].startswith("plain-x-") and _runs(p)), None)

        found = wait_for(f"the plain pod of {tenant} runs", plain, 120)
        assert found["spec"]["nodeName"] == node
    for tenant, (_, node) in pools.items():
        (mine,) = stack.namespaces(tenant, "own")
        assert platform.on(node) == {mine}
        # Not even for a moment: what was ever placed on it is in the host's events.
        events = stack.host("get", "events", "-A", "--field-selector=reason=Scheduled")["items"]
        placed = [e for e in events if e["message"].endswith(f" to {node}")]
        others = {stack.namespaces(t, "own")[0] for t in pools if t != tenant}
        assert [e["message"] for e in placed if e["metadata"]["namespace"] in others] == []
    for tenant in pools:
        (mine,) = stack.namespaces(tenant, "own")
        assert f"{mine}/cluster-0" in {
            f"{p['metadata']['namespace']}/{p['metadata']['name']}"
            for p in stack.host("get", "pods", "-A", "--field-selector=spec.nodeName=control-plane")["items"]
        }


def test_drift_of_labels_and_taints_is_repaired(stack, platform, pools):
    kubeconfig = stack.home / "lab" / "kubeconfig"
    stack.run_kubectl(kubeconfig, "label", "node", "worker-1", f"{TENANT}=globex", "--overwrite")
    stack.run_kubectl(kubeconfig, "taint", "node", "worker-1", f"{POOL}-")

    def as_wanted():
        node = stack.host("get", "node", "worker-1")
        taints = [(t["key"], t.get("value")) for t in node["spec"].get("taints", [])]
        return node["metadata"]["labels"].get(TENANT) == "acme" and (POOL, "gold") in taints

    wait_for("the node wears its pool's marks again", as_wanted, 100)


def test_a_node_is_wiped_before_another_tenant_gets_it(stack, platform, pools, teams):
    team, node = teams["acme"], "worker-1"
    team.delete("own")
    team.wait_gone("own")
    disk = stack.home / "lab" / "nodes" / node
    planted = [
        disk / "kubelet" / "pods" / "0b5f6a52-old" / "volumes" / "file",
        disk / "volumes" / "pvc-0_atoll-acme-own_data" / "file",
        disk / "log" / "pods" / "atoll-acme-own_web_0b5f6a52-old" / "0.log",
    ]
    for file in planted:
        file.parent.mkdir(parents=True)
        file.write_text("of acme")
    platform.ctr(node, "images", "tag", BUSYBOX, SECRET)

    def told():
        images = stack.host("get", "node", node)["status"]["images"]
        return any(SECRET in image["names"] for image in images)

    wait_for("the node tells of the planted image", told, 90)
    platform.move(node, "silver")
    # Until it is the next tenant's, nothing of a tenant can be placed on it.
    seen = wait_for("the node is fenced", lambda: _marks(stack, node)[1] == {MOVING}, 30, every=0.1)
    assert seen

    def given():
        return _marks(stack, node)[0].get(TENANT) == "globex"

    wait_for("the node is given to globex", given, 180, every=0.2)
    assert [file for file in planted if file.exists() or file.parent.exists()] == []
    assert SECRET not in platform.ctr(node, "images", "ls", "-q").split()
    assert not told()
    move = platform.settled(node)
    assert (move["tenantBefore"], move["tenantAfter"], move["state"]) == ("acme", "globex", "succeeded")
    evidence = move["evidence"]
    assert SECRET in evidence["before"]["images"]
    assert SECRET not in evidence["after"]["images"]
    removed = {kind: sum(w[kind]["removed"] for w in evidence["wipes"]) for kind in ("volumes", "images")}
    assert removed == {"volumes": 1, "images": 1}


def _runs(found):
    return found["status"].get("phase") == "Running"


def _marks(stack, node):
    seen = stack.host("get", "node", node)
    taints = {t["key"] for t in seen["spec"].get("taints", []) if "restriction" in t["key"]}
    return seen["metadata"]["labels"], taints
