from __future__ import annotations

from typing import Any

import pytest
import yaml

from provisioner.release import host_chart
from tests.charts.conftest import CHARTS, one
from tests.support import rights

CHART = "host"
GUARDED = {"escalate", "impersonate", "*"}

SYNCER = {
    "configmaps": "create delete get list patch update watch",
    "endpoints": "create delete get list patch update watch",
    "persistentvolumeclaims": "create delete get list patch update watch",
    "pods": "create delete get list patch update watch",
    "secrets": "create delete get list patch update watch",
    "services": "create delete get list patch update watch",
    "pods/status": "patch update",
    "pods/ephemeralcontainers": "patch update",
    "pods/resize": "patch update",
    "pods/attach": "create get",
    "pods/exec": "create get",
    "pods/portforward": "create get",
    "pods/log": "get",
    "events": "list watch",
    "endpointslices.discovery.k8s.io": "list watch",
    "deployments.apps": "list",
    "statefulsets.apps": "list",
}
"""All that a syncer, or who steals its token, may do in one namespace. Read a change of it twice."""


def given(objects: list[dict[str, Any]], role: str) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for right in rights.rights(objects, [role]):
        resource = f"{right.resource}.{right.group}" if right.group else right.resource
        found.setdefault(resource, set()).add(right.verb)
    return {resource: " ".join(sorted(verbs)) for resource, verbs in found.items()}


@pytest.fixture
def objects(helm):
    return helm.objects(CHART, {})


def test_lint_finds_nothing(helm):
    done = helm.lint(CHART, {})
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


def test_the_syncer_may_what_was_read_and_agreed(objects):
    assert given(objects, "ClusterRole/atoll-syncer") == SYNCER


@pytest.mark.parametrize("kind", ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"])
def test_every_policy_that_refuses_is_on_the_list_but_the_provisioners_own_fences(objects, kind):
    """What is on it is looked for before a release, and put back."""
    there = {o["metadata"]["name"]: o for o in objects if o["kind"] == kind}
    kept = host_chart.kept(CHARTS / CHART)
    assert there.keys() - kept == {n for n in there if n.startswith("atoll-provisioner-")}
    for name in kept:
        worn = there[name]["metadata"]["labels"]["tenancy.atoll.internal/policies"]
        assert worn == host_chart.version(CHARTS / CHART)


def test_no_role_is_a_back_door(objects):
    for role in (o for o in objects if o["kind"] in {"ClusterRole", "Role"}):
        for rule in role["rules"]:
            words = {*rule["verbs"], *rule["apiGroups"], *rule["resources"]}
            assert not words & GUARDED, (role["metadata"]["name"], rule)
            if "bind" in rule["verbs"]:
                assert set(rule["resourceNames"]) == {"atoll-syncer", "atoll-tenant-manager"}


@pytest.mark.parametrize(
    ("kind", "resource", "kept"),
    [
        ("ValidatingAdmissionPolicy", "validatingadmissionpolicies", True),
        ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", True),
        ("MutatingAdmissionPolicy", "mutatingadmissionpolicies", False),
        ("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", True),
    ],
)
def test_the_provisioner_keeps_all_policies_but_its_own_fences_and_what_mutates(helm, kind, resource, kept):
    mutating = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
    text = helm.run("template", "host", str(CHARTS / CHART), "--api-versions", mutating, values={}).stdout
    objects = [document for document in yaml.safe_load_all(text) if document]
    there = {o["metadata"]["name"] for o in objects if o["kind"] == kind}
    given = rights.rights(objects, ["ClusterRole/atoll-provisioner"])
    found = {right.name for right in given if (right.resource, right.verb) == (resource, "patch")}
    assert there
    assert found == ({n for n in there if not n.startswith("atoll-provisioner-")} if kept else set())


def test_the_provisioner_may_look_at_all_roles_and_bindings_of_this_chart(objects):
    """It tells of those that somebody changed; a role added here needs its name there."""
    given = rights.rights(objects, ["ClusterRole/atoll-provisioner"])
    read = {(r.resource, r.name) for r in given if r.verb in {"get", "list"}}
    for made in (o for o in objects if o["kind"].endswith(("Role", "RoleBinding"))):
        resource = f"{made['kind'].lower()}s"
        assert {(resource, made["metadata"]["name"]), (resource, "")} & read, made["metadata"]["name"]


def test_nothing_cluster_wide_reads_secrets_or_reaches_into_pods(objects):
    wide = given(objects, "ClusterRole/atoll-provisioner")
    assert not [r for r in wide if r.split("/")[0].split(".")[0] in {"secrets", "pods", "serviceaccounts"}]


def test_only_the_provisioner_is_bound_and_to_its_own_roles(objects):
    who = [{"kind": "ServiceAccount", "name": "atoll-provisioner", "namespace": "atoll-system"}]
    bound = [o for o in objects if o["kind"] in {"ClusterRoleBinding", "RoleBinding"}]
    assert [(o["kind"], o["roleRef"]["name"]) for o in bound] == [
        ("ClusterRoleBinding", "atoll-provisioner"),
        ("RoleBinding", "atoll-node-wiper"),
        ("RoleBinding", "atoll-provisioner"),
    ]
    assert [o["subjects"] for o in bound] == [who] * 3


def test_the_fence_is_for_the_provisioner_of_this_installation(helm):
    values = {"namespace": {"name": "atoll-other"}, "provisioner": {"serviceAccount": "robot"}}
    policy = one(helm.objects(CHART, values), "ValidatingAdmissionPolicy", "atoll-provisioner-fence")["spec"]
    assert policy["failurePolicy"] == "Fail"
    (condition,) = policy["matchConditions"]
    assert condition["expression"].endswith("'system:serviceaccount:atoll-other:robot'")
    assert "!= 'atoll-other'" in policy["validations"][0]["expression"]


def test_an_existing_namespace_is_left_alone(helm):
    made = helm.objects(CHART, {"namespace": {"create": False}})
    assert [o["metadata"]["name"] for o in made if o["kind"] == "Namespace"] == ["atoll-node-wipe"]


def test_unknown_values_are_refused_by_name(helm):
    assert "additional properties 'surprise' not allowed" in helm.refusal(CHART, {"surprise": 1})
    assert "at '/namespace/name'" in helm.refusal(CHART, {"namespace": {"name": "Bad_Name"}})
