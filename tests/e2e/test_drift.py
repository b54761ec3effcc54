"""Somebody with every right on the host changes guard rails: noticed within 60 s, put right within 120 s, named."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.e2e.stack import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

NOTICED, RESTORED = 60, 120
MALLORY = "mallory"
DELETED = [
    "resourcequota/atoll-quota",
    "limitrange/atoll-defaults",
    "networkpolicy/atoll-deny",
    "networkpolicy/atoll-tenant-pods",
    "networkpolicy/atoll-control-plane",
    "rolebinding/atoll-provisioner",
    "rolebinding/vc-cluster",
]
EDITED = {
    "resourcequota/atoll-quota": {"spec": {"hard": {"pods": "9999"}}},
    "limitrange/atoll-defaults": {"spec": {"limits": []}},
    "networkpolicy/atoll-deny": {"spec": {"egress": [{}]}},
    "rolebinding/vc-cluster": {
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": MALLORY}]
    },
}


@pytest.fixture
def mallory(stack):
    """Cluster-admin on the host, beside Atoll."""
    kubeconfig = stack.home / "lab" / "kubeconfig"

    def run(*words):
        return stack.run_kubectl(kubeconfig, "--as", MALLORY, *words)

    binding = ("clusterrolebinding", "mallory")
    stack.run_kubectl(kubeconfig, "create", *binding, "--clusterrole=cluster-admin", f"--user={MALLORY}")
    wait_for("the right reached the API server", lambda: run("auth", "can-i", "*", "*").strip() == "yes", 20)
    yield run
    stack.run_kubectl(kubeconfig, "delete", *binding)


@pytest.fixture
def findings(stack):
    """Of this test's time: others change guard rails too."""
    began = datetime.now(UTC)

    def ours(finding):
        return datetime.fromisoformat(finding["noticedAt"]) >= began

    with stack.client("admin.token") as api:

        def look(subject):
            answer = api.get("/findings", params={"limit": 100})
            assert answer.status_code == 200, answer.text
            return [f for f in answer.json()["items"] if f["subject"] == subject and ours(f)]

        yield look


def seconds(finding, key):
    since = datetime.fromisoformat(finding["actor"]["at"])
    return (datetime.fromisoformat(finding[key]) - since).total_seconds()


def told(findings, subject, number=1):
    """The finding that tells of the ``number``-th change, once all is put right; times by the true clock."""
    wait_for(
        f"{subject} was put right: {findings(subject)}",
        lambda: len(found := findings(subject)) >= number and found[0]["restoredAt"],
        RESTORED + 10,
    )
    found = findings(subject)[0]
    assert (found["actor"]["source"], MALLORY in found["actor"]["name"]) == ("audit-log", True), found
    assert seconds(found, "noticedAt") <= NOTICED, found
    assert seconds(found, "restoredAt") <= RESTORED, found
    return found


def subject(resource):
    kinds = {
        "resourcequota": "ResourceQuota",
        "limitrange": "LimitRange",
        "networkpolicy": "NetworkPolicy",
        "rolebinding": "RoleBinding",
    }
    kind, _, name = resource.partition("/")
    return f"{kinds[kind]} {name}"


def test_guard_rails_of_a_cluster(stack, demo, mallory, findings):
    (namespace,) = stack.namespaces("demo", "first")
    before = {one: stack.host("get", one, "-n", namespace) for one in DELETED}
    for one in DELETED:
        mallory("-n", namespace, "delete", one)
    for one in DELETED:
        assert told(findings, subject(one))["kind"] == "guard-rail-removed"

    for one, patch in EDITED.items():
        mallory("-n", namespace, "patch", one, "--type=merge", "-p", json.dumps(patch))
    mallory("label", "ns", namespace, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    mallory("annotate", "ns", namespace, "tenancy.atoll.internal/node-selector-")
    for one in EDITED:
        found = told(findings, subject(one), 2)
        assert found["kind"] == "guard-rail-changed"
        assert found["differences"]
    told(findings, f"Namespace {namespace}")

    for one, was in before.items():
        now = stack.host("get", one, "-n", namespace)
        for part in ("spec", "roleRef", "subjects"):
            assert now.get(part) == was.get(part), one
    with stack.client() as member:
        own = member.get("/tenants/demo/clusters/first/findings").json()["items"]
    assert len(own) >= len(DELETED) + len(EDITED) + 1


def test_a_life_of_its_own_has_no_findings(demo):
    assert demo.put("calm").status_code == 201
    demo.wait_ready("calm")
    assert demo.put("calm", {"resources": {"pods": 40}}).status_code == 200
    demo.wait_ready("calm")
    assert demo.api.get(demo.path("calm", "/findings")).json()["items"] == []
    assert demo.delete("calm").status_code == 202
    demo.wait_gone("calm")


def test_a_binding_that_gives_a_tenant_more_is_taken_away(stack, mallory, findings):
    (namespace,) = stack.namespaces("demo", "first")
    account = f"--serviceaccount={namespace}:vc-cluster"
    mallory("-n", namespace, "create", "rolebinding", "more", "--clusterrole=admin", account)
    assert told(findings, "RoleBinding more")["kind"] == "guard-rail-added"
    names = [one["metadata"]["name"] for one in stack.host("get", "rolebindings", "-n", namespace)["items"]]
    assert "more" not in names


def test_policies_of_the_host(stack, mallory, findings):
    mallory("delete", "validatingadmissionpolicy", "atoll-placement")
    mallory("delete", "validatingadmissionpolicybinding", "atoll-secrets")
    patch = json.dumps({"spec": {"validationActions": ["Audit"]}})
    mallory("patch", "validatingadmissionpolicybinding", "atoll-hardening", "--type=merge", "-p", patch)
    told(findings, "ValidatingAdmissionPolicy atoll-placement")
    told(findings, "ValidatingAdmissionPolicyBinding atoll-secrets")
    told(findings, "ValidatingAdmissionPolicyBinding atoll-hardening")
    binding = stack.host("get", "validatingadmissionpolicybinding", "atoll-hardening")
    assert binding["spec"]["validationActions"] == ["Deny", "Audit"]


def test_a_role_of_the_host_is_told_with_what_to_do(stack, mallory, findings):
    role = stack.host("get", "clusterrole", "atoll-syncer")
    rules = [*role["rules"], {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]}]
    name = "ClusterRole atoll-syncer"
    mallory("patch", "clusterrole", "atoll-syncer", "--type=merge", "-p", json.dumps({"rules": rules}))
    wait_for("it is noticed", lambda: findings(name), NOTICED)
    (found,) = findings(name)
    assert MALLORY in found["actor"]["name"]
    assert "helm upgrade --install atoll-host helm/host" in found["nextStep"]
    mallory(
        "patch", "clusterrole", "atoll-syncer", "--type=merge", "-p", json.dumps({"rules": role["rules"]})
    )
    wait_for("it is right again", lambda: findings(name)[0]["restoredAt"], NOTICED)
