"""Somebody with every right on the host changes guard rails: noticed within 60 s, put right within 120 s, named.

All that is taken away goes at once, and all that is edited at once: a look every 30 s finds either.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.e2e.stack import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

NOTICED, RESTORED = 60, 120
MALLORY = "mallory"
KINDS = {
    "resourcequota": "ResourceQuota",
    "limitrange": "LimitRange",
    "networkpolicy": "NetworkPolicy",
    "rolebinding": "RoleBinding",
    "validatingadmissionpolicy": "ValidatingAdmissionPolicy",
    "validatingadmissionpolicybinding": "ValidatingAdmissionPolicyBinding",
    "mutatingadmissionpolicy": "MutatingAdmissionPolicy",
    "clusterrole": "ClusterRole",
}
OF_CLUSTER = [
    "resourcequota/atoll-quota",
    "limitrange/atoll-defaults",
    "networkpolicy/atoll-deny",
    "networkpolicy/atoll-tenant-pods",
    "networkpolicy/atoll-control-plane",
    "rolebinding/atoll-provisioner",
    "rolebinding/vc-cluster",
]
OF_HOST = ["validatingadmissionpolicy/atoll-placement", "validatingadmissionpolicybinding/atoll-secrets"]
EDITED = {
    "resourcequota/atoll-quota": {"spec": {"hard": {"pods": "9999"}}},
    "limitrange/atoll-defaults": {"spec": {"limits": []}},
    "networkpolicy/atoll-deny": {"spec": {"egress": [{}]}},
    "rolebinding/vc-cluster": {
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": MALLORY}]
    },
}
BINDING = "validatingadmissionpolicybinding/atoll-hardening"
EVERYBODY, ELSEWHERE = "ClusterRoleBinding everybody", "RoleBinding default/elsewhere"
AN_ADMINS = [
    "clusterrole/atoll-syncer",
    "clusterrole/atoll-tenant-manager",
    "mutatingadmissionpolicy/atoll-inject",
    "validatingadmissionpolicy/atoll-provisioner-fence",
]
"""What the provisioner must not be able to write: the first and third are deleted, the others edited."""


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def findings(stack):
    """Of this module's time, the oldest first: others change guard rails too."""
    began = datetime.now(UTC)

    def ours(finding):
        return datetime.fromisoformat(finding["noticedAt"]) >= began

    with stack.client("admin.token") as api:

        def look(subject):
            answer = api.get("/findings", params={"limit": 100})
            assert answer.status_code == 200, answer.text
            return [f for f in reversed(answer.json()["items"]) if f["subject"] == subject and ours(f)]

        yield look


@pytest.fixture(scope="module")
def namespace(stack, findings):
    (found,) = stack.namespaces("demo", "first")
    return found


@pytest.fixture(scope="module")
def taken_away(stack, mallory, namespace):
    """What each guard rail was like before it was deleted."""
    before = {one: stack.host("get", one, "-n", namespace) for one in OF_CLUSTER}
    for one in OF_CLUSTER:
        mallory("-n", namespace, "delete", one, "--wait=false")
    for one in OF_HOST:
        mallory("delete", one, "--wait=false")
    account = f"--serviceaccount={namespace}:vc-cluster"
    mallory("-n", namespace, "create", "rolebinding", "more", "--clusterrole=admin", account)
    patch(mallory, BINDING, {"spec": {"validationActions": ["Audit"]}})
    mallory("create", "clusterrolebinding", "everybody", "--clusterrole=view", "--group=system:authenticated")
    mallory("-n", "default", "create", "rolebinding", "elsewhere", "--clusterrole=view", account)
    return {**before, **change_what_is_an_admins(stack, mallory)}


def change_what_is_an_admins(stack, mallory):
    before = {one: stack.host("get", one) for one in AN_ADMINS}
    syncer, manager, inject, fence = AN_ADMINS
    mallory("delete", syncer, inject, "--wait=false")
    more = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]}
    patch(mallory, manager, {"rules": [*before[manager]["rules"], more]})
    never = {"name": "never", "expression": "false"}
    patch(mallory, fence, {"spec": {"matchConditions": [*before[fence]["spec"]["matchConditions"], never]}})
    return before


@pytest.fixture(scope="module")
def edited(stack, mallory, namespace, taken_away, findings):
    """Once all that was taken away is back."""
    for one in [*OF_CLUSTER, *OF_HOST]:
        told(findings, subject(one))
    # Told and left alone; an admin deletes it.
    wait_for("rights on the host are told", lambda: findings(EVERYBODY) and findings(ELSEWHERE), NOTICED)
    mallory("delete", "clusterrolebinding", "everybody")
    mallory("-n", "default", "delete", "rolebinding", "elsewhere")
    for one, change in EDITED.items():
        patch(mallory, one, change, "-n", namespace)
    mallory("label", "ns", namespace, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    mallory("annotate", "ns", namespace, "tenancy.atoll.internal/node-selector-")


def patch(mallory, what, change, *where):
    mallory(*where, "patch", *what.split("/"), "--type=merge", "-p", json.dumps(change))


def subject(resource):
    kind, _, name = resource.partition("/")
    return f"{KINDS[kind]} {name}"


def seconds(finding, key):
    since = datetime.fromisoformat(finding["actor"]["at"])
    return (datetime.fromisoformat(finding[key]) - since).total_seconds()


def told(findings, what, number=1):
    """The finding that tells of the ``number``-th change, once it is put right; times by the true clock."""
    wait_for(
        lambda: f"{what} was put right: {findings(what)}",
        lambda: len(found := findings(what)) >= number and found[number - 1]["restoredAt"],
        RESTORED + 10,
    )
    found = findings(what)[number - 1]
    assert (found["actor"]["source"], MALLORY in found["actor"]["name"]) == ("audit-log", True), found
    assert seconds(found, "noticedAt") <= NOTICED, found
    assert seconds(found, "restoredAt") <= RESTORED, found
    return found


@pytest.mark.parametrize("one", [*OF_CLUSTER, *OF_HOST])
def test_what_is_deleted_is_put_back(taken_away, findings, one):
    assert told(findings, subject(one))["kind"] == "guard-rail-removed"


def test_a_binding_that_gives_a_tenant_more_is_taken_away(stack, namespace, taken_away, findings):
    assert told(findings, "RoleBinding more")["kind"] == "guard-rail-added"
    names = [one["metadata"]["name"] for one in stack.host("get", "rolebindings", "-n", namespace)["items"]]
    assert "more" not in names


@pytest.mark.parametrize("one", EDITED)
def test_what_is_edited_is_as_it_was(stack, namespace, taken_away, edited, findings, one):
    found = told(findings, subject(one), 2)
    assert found["kind"] == "guard-rail-changed"
    assert found["differences"]
    now = stack.host("get", one, "-n", namespace)
    for part in ("spec", "roleRef", "subjects"):
        assert now.get(part) == taken_away[one].get(part)


def test_labels_of_the_namespace_are_as_they_were(stack, namespace, edited, findings):
    assert told(findings, f"Namespace {namespace}")["differences"]
    marks = stack.host("get", "ns", namespace)["metadata"]
    assert marks["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    assert "tenancy.atoll.internal/node-selector" in marks["annotations"]


def test_a_policy_that_only_warns_refuses_again(stack, edited, findings):
    assert told(findings, subject(BINDING))["kind"] == "guard-rail-changed"
    assert stack.host("get", *BINDING.split("/"))["spec"]["validationActions"] == ["Deny", "Audit"]


@pytest.mark.parametrize("one", AN_ADMINS)
def test_what_only_an_admin_may_write_is_put_back_with_an_admins_rights(
    stack, taken_away, edited, findings, one
):
    """By ``./atoll up`` here, by ``./atoll host keep`` elsewhere: helm alone would leave what was added."""
    found = told(findings, subject(one))
    assert found["kind"] in {"guard-rail-removed", "guard-rail-changed"}
    assert "helm upgrade --install atoll-host helm/host" in found["nextStep"]
    now = stack.host("get", one)
    assert (now.get("spec"), now.get("rules")) == (taken_away[one].get("spec"), taken_away[one].get("rules"))


@pytest.mark.parametrize("what", [EVERYBODY, ELSEWHERE])
def test_rights_on_the_host_for_tenants_or_everybody_are_told(edited, findings, what):
    assert told(findings, what)["kind"] == "guard-rail-added"


def test_a_team_reads_what_was_done_to_its_cluster(demo, edited, findings):
    for one in EDITED:
        told(findings, subject(one), 2)
    own = demo.api.get(demo.path("first", "/findings")).json()["items"]
    assert {subject(one) for one in [*OF_CLUSTER, *EDITED]} <= {f["subject"] for f in own}
