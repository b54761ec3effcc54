"""What the provisioner may do on a host is what it does: rules against the audit log of whole lives."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.charts.conftest import CHARTS
from tests.e2e.platform import Platform
from tests.e2e.stack import wait_for
from tests.isolation.host import client
from tests.support import rights

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

USER = "system:serviceaccount:atoll-system:atoll-provisioner"
ROLES = (
    "ClusterRole/atoll-provisioner",
    "ClusterRole/atoll-tenant-manager",
    "Role/atoll-provisioner",
    "Role/atoll-node-wiper",
)
VOLUME = Path(__file__).parent / "volume.yaml"
OWN = "atoll-provisioner-"
"""How the policies begin that keep the provisioner itself in its bounds: those an admin puts back."""


GATE = "tenancy.atoll.node-restriction.kubernetes.io/gpu-escape"


def refuse_pods(stack, namespace):
    stack.run_kubectl(admin(stack), "-n", namespace, "create", "quota", "none", "--hard=pods=0")


def admin(stack):
    return stack.home / "lab" / "kubeconfig"


def audited(stack):
    for path in sorted((stack.home / "lab").glob("audit*.log")):
        with path.open() as lines:
            yield from lines


def as_provisioner(stack, *words):
    """Judged by the API server as if it were done, but nothing is written."""
    kubeconfig = stack.home / "hosts" / "lab.kubeconfig"
    line = [str(stack.kubectl), "--kubeconfig", str(kubeconfig), "create", *words, "--dry-run=server"]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def judge_a_node(stack):
    """A node that seems to have accelerators gets a verdict at the host's next look, and loses it with them."""
    with stack.client("admin.token") as api:
        # Not NVIDIA's: the lab itself sees to those.
        for count, accepts, verdict in (("1", False, "unknown"), (None, True, None)):
            amounts = {"status": {part: {"amd.com/gpu": count} for part in ("capacity", "allocatable")}}
            change = ("--subresource=status", "--type=merge", "--patch", json.dumps(amounts))
            stack.run_kubectl(admin(stack), "patch", "node", "worker-1", *change)
            host = api.get("/hosts/lab").json()
            host["spec"]["acceptsClusters"] = accepts  # any change of a host lets it be looked at now
            assert api.put("/hosts/lab", json=host).status_code == 200
            wait_for("the verdict is on the node", lambda v=verdict: gate_label(stack) == v, 60)


def gate_label(stack):
    return stack.host("get", "node", "worker-1")["metadata"]["labels"].get(GATE)


def binding(namespace, role="atoll-tenant-manager"):
    who = "--serviceaccount=atoll-system:atoll-provisioner"
    return ("rolebinding", "fenced", f"--clusterrole={role}", who, "-n", namespace)


def quarantine_and_back(stack, demo):
    with stack.client("admin.token") as api:
        where = demo.path("rights", "/quarantine")
        assert api.post(where, json={"reason": "rights"}).status_code == 202
        contained = lambda: demo.get("rights").json()["status"]["quarantine"]["contained"]  # noqa: E731
        wait_for("nothing of it runs", contained, 60)
        assert api.delete(where).status_code == 202
    demo.wait_ready("rights")


def move_with_a_claim(stack, platform, kubeconfig, namespace):
    """A node with a tenant's volume begins to go into a pool; its name."""
    stack.run_kubectl(kubeconfig, "apply", "-f", str(VOLUME))

    def bound():
        found = stack.host("get", "pods", "-n", namespace)["items"]
        return next((p for p in found if p["metadata"]["name"].startswith("keeper-x-") and running(p)), None)

    node = wait_for("the pod with a volume runs", bound, 120)["spec"]["nodeName"]
    platform.do("PUT", "/hosts/lab/pools/rights", {"spec": {"kind": "dedicated"}})
    platform.move(node, "rights", discard=True)
    return node


def move_back(platform, node):
    platform.settled(node)
    platform.move(node, None, discard=True)


def running(pod):
    return pod["status"].get("phase") == "Running"


def other_cluster(found, own):
    return found.startswith("atoll-") and found != own


def messages(demo, name):
    return " ".join(c["message"] for c in demo.get(name).json()["status"]["conditions"])


def test_every_right_is_used_and_no_request_denied(stack, demo, tmp_path):
    assert demo.put("rights").status_code == 201
    (namespace,) = wait_for(
        "there is a namespace", lambda: stack.namespaces("demo", "rights"), 60, every=0.05
    )
    refuse_pods(stack, namespace)
    wait_for("people read why there is no pod", lambda: "exceeded quota" in messages(demo, "rights"), 60)
    stack.run_kubectl(admin(stack), "-n", namespace, "delete", "quota", "none")
    demo.wait_ready("rights")
    with stack.client("admin.token") as api:
        platform = Platform(stack, api)
        node = move_with_a_claim(stack, platform, demo.kubeconfig("rights", tmp_path), namespace)
        disturb(stack, namespace)
        move_back(platform, node)
        judge_a_node(stack)
        assert demo.report("rights")["verdict"] is True
        quarantine_and_back(stack, demo)
        platform.settled(node)
        platform.do("DELETE", "/hosts/lab/pools/rights")
    bindings = stack.host("get", "rolebindings", "-n", namespace)["items"]
    assert demo.delete("rights").status_code == 202
    demo.wait_gone("rights")

    text = subprocess.run(
        [str(stack.helm), "template", "host", str(CHARTS / "host")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    given = rights.rights([d for d in yaml.safe_load_all(text) if d], ROLES)
    seen = rights.requests(audited(stack), USER)
    report = rights.compare(given, seen, bound={b["roleRef"]["name"] for b in bindings})
    # Other tests break clusters on purpose, and rights go with a namespace that is deleted under a pass.
    mine = [request for request in report.denied if not other_cluster(request.namespace, namespace)]
    assert (report.unused, mine) == ((), []), str(report)


KINDS = "validatingadmissionpolicies,validatingadmissionpolicybindings,mutatingadmissionpolicybindings"


def delete_policies(run):
    """All that the provisioner may make anew; gives a look at whether they are there again."""
    named = [n for n in run("get", KINDS, "-o", "name").split() if not n.rpartition("/")[2].startswith(OWN)]
    kept = {n for n in named if n.rpartition("/")[2].startswith("atoll-")}
    run("delete", *kept)
    return lambda: kept <= set(run("get", KINDS, "-o", "name").split())


def unmade(stack):
    """Kinds of policies of which the provisioner made none yet."""
    seen = rights.requests(audited(stack), USER)
    made = {one.resource for one in seen if one.allowed and "create" in one.verbs}
    return set(KINDS.split(",")) - made


def disturb(stack, namespace):
    """Everything that the provisioner may put back, so that it does."""
    kubeconfig = admin(stack)

    def run(*words):
        return stack.run_kubectl(kubeconfig, *words)

    policies_are_back = delete_policies(run)
    inside = ("-n", namespace)
    run(*inside, "delete", "quota", "atoll-quota")
    run(*inside, "create", "quota", "atoll-quota", "--hard=pods=1", "--scopes=BestEffort")
    # Without it requests there are refused: in another cluster's namespace than the one that is judged.
    (elsewhere,) = stack.namespaces("demo", "first")
    binding = ("rolebinding", "atoll-provisioner")
    run("-n", elsewhere, "delete", *binding)
    run("-n", elsewhere, "create", *binding, "--clusterrole=view", "--user=nobody")
    deny = stack.host("get", "networkpolicy", "atoll-deny", "-n", namespace)
    opened = {"apiVersion": deny["apiVersion"], "kind": deny["kind"]}
    body = {**opened, "metadata": {"name": "open"}, "spec": {"podSelector": {}, "egress": [{}]}}
    path = stack.home / "open.json"
    path.write_text(json.dumps(body))
    run(*inside, "create", "-f", str(path))

    def right():
        # One with other scopes is made anew: for a moment there is none.
        quotas = stack.host("get", "quota", "-n", namespace)["items"]
        quota = next((q["spec"] for q in quotas if q["metadata"]["name"] == "atoll-quota"), {"scopes": []})
        role = stack.host("get", *binding, "-n", elsewhere)["roleRef"]["name"]
        policies = run(*inside, "get", "networkpolicies", "-o", "name").split()
        return (
            policies_are_back()
            and "scopes" not in quota
            and role == "atoll-tenant-manager"
            and not any(name.endswith("/open") for name in policies)
        )

    wait_for("everything is back", right, 150)
    for _ in range(3):
        if unmade(stack):  # the admin's keeper was quicker, upon another test's finding
            wait_for("policies are back", delete_policies(run), 150)


@pytest.mark.parametrize(
    "words",
    [("namespace", "fenced"), ("namespace", "atoll-system"), binding("kube-system"), binding("atoll-system")],
    ids=lambda words: " ".join(words[:2]) + (f" in {words[-1]}" if "-n" in words else ""),
)
def test_the_fence_keeps_the_provisioner_to_tenants_namespaces(stack, words):
    done = as_provisioner(stack, *words)
    assert done.returncode != 0
    assert "atoll-provisioner-fence" in done.stderr


def test_inside_the_fence_the_provisioner_grants_its_own_roles_only(stack):
    (namespace,) = stack.namespaces("demo", "first")
    assert as_provisioner(stack, "namespace", "atoll-fenced").returncode == 0
    assert as_provisioner(stack, *binding(namespace)).returncode == 0
    refused = as_provisioner(stack, *binding(namespace, "cluster-admin"))
    assert "attempting to grant RBAC permissions not currently held" in refused.stderr


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({"metadata": {"labels": {GATE: "clean"}}}, True),
        ({"metadata": {"labels": {"node-role.kubernetes.io/worker": None}}}, False),
        ({"metadata": {"labels": {"tenancy.atoll.internal/role": "control-plane"}}}, False),
        ({"metadata": {"annotations": {"mine": "too"}}}, False),
        ({"spec": {"unschedulable": True}}, False),
    ],
)
def test_of_nodes_the_provisioner_changes_its_own_labels_only(stack, change, allowed):
    headers = {"Content-Type": "application/merge-patch+json", "Impersonate-User": USER}
    with client(admin(stack)) as api:
        answer = api.patch("/api/v1/nodes/worker-1?dryRun=All", json=change, headers=headers)
    refused = "atoll-provisioner-nodes" in answer.text and answer.status_code == 403
    assert (answer.status_code == 200, refused) == (allowed, not allowed), answer.text
