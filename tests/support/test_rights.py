from __future__ import annotations

import json

import pytest

from tests.support import rights
from tests.support.rights import Right

WHO = "system:serviceaccount:a:b"
ROLE = {
    "kind": "ClusterRole",
    "metadata": {"name": "r"},
    "rules": [
        {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get"]},
        {"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ["create", "patch"]},
        {
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["clusterroles"],
            "resourceNames": ["x", "y"],
            "verbs": ["bind"],
        },
    ],
}
GET_POD = Right("ClusterRole/r", "", "pods", "get")
GET_LOG = Right("ClusterRole/r", "", "pods/log", "get")
CREATE = Right("ClusterRole/r", "apps", "statefulsets", "create")
PATCH = Right("ClusterRole/r", "apps", "statefulsets", "patch")
BINDS = {Right("ClusterRole/r", "rbac.authorization.k8s.io", "clusterroles", "bind", n) for n in ("x", "y")}


def line(verb, resource, *, code=200, group="", sub=None, user=WHO, by="ClusterRole", allow=True):
    target = {"resource": resource, "namespace": "ns", "name": "n"}
    target |= {"apiGroup": group} if group else {}
    target |= {"subresource": sub} if sub else {}
    reason = f'RBAC: allowed by RoleBinding "q/ns" of {by} "r" to ServiceAccount "b/a"' if allow else ""
    return json.dumps(
        {
            "verb": verb,
            "user": {"username": user},
            "objectRef": target,
            "requestURI": f"/api/{resource}",
            "responseStatus": {"code": code},
            "annotations": {
                "authorization.k8s.io/decision": "allow" if allow else "forbid",
                "authorization.k8s.io/reason": reason,
            },
        }
    )


def compared(*lines, **more):
    given = rights.rights([ROLE], ["ClusterRole/r"])
    return rights.compare(given, rights.requests(lines, WHO), **more)


def test_rules_are_taken_apart_into_rights():
    assert rights.rights([ROLE], ["ClusterRole/r"]) == {GET_POD, GET_LOG, CREATE, PATCH, *BINDS}


def test_a_request_uses_the_right_of_its_verb_and_resource_only():
    assert set(compared(line("get", "pods")).unused) == {GET_LOG, CREATE, PATCH, *BINDS}
    assert set(compared(line("get", "pods", sub="log")).unused) == {GET_POD, CREATE, PATCH, *BINDS}


def test_an_apply_that_makes_its_object_uses_create_too():
    made = line("patch", "statefulsets", group="apps", code=201)
    changed = line("patch", "statefulsets", group="apps", code=200)
    assert set(compared(made).unused) == {GET_POD, GET_LOG, *BINDS}
    assert set(compared(changed).unused) == {GET_POD, GET_LOG, CREATE, *BINDS}


def test_a_right_that_another_role_gives_as_well_is_unused():
    assert GET_POD in compared(line("get", "pods", by="Role")).unused


def test_binding_is_told_by_what_was_bound():
    assert set(compared(bound={"x"}).unused) >= {r for r in BINDS if r.name == "y"}
    assert not set(compared(bound={"x", "y"}).unused) & BINDS


def test_denied_requests_are_reported_and_use_nothing():
    report = compared(line("get", "pods", allow=False, code=403))
    assert GET_POD in report.unused
    assert [str(r) for r in report.denied] == ["403 get /api/pods"]


def test_what_admission_refused_was_allowed_by_its_role():
    report = compared(line("get", "pods", code=403))
    assert report.denied == ()
    assert GET_POD not in report.unused


def test_others_and_broken_lines_and_urls_do_not_count():
    url = json.dumps({"verb": "get", "user": {"username": WHO}, "requestURI": "/version"})
    assert rights.requests([line("get", "pods", user="other"), '{"verb": "ge', url, ""], WHO) == []


def test_a_wildcard_cannot_be_compared():
    wild = {**ROLE, "rules": [{"apiGroups": ["*"], "resources": ["pods"], "verbs": ["get"]}]}
    with pytest.raises(ValueError, match="wildcard"):
        rights.rights([wild], ["ClusterRole/r"])


def test_a_role_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no role Role/r among ClusterRole/r"):
        rights.rights([ROLE], ["Role/r"])


def test_the_report_reads_as_text():
    assert str(compared(line("get", "pods"), bound={"x", "y"})).splitlines() == [
        "unused: ClusterRole/r: get pods/log",
        "unused: ClusterRole/r: create statefulsets.apps",
        "unused: ClusterRole/r: patch statefulsets.apps",
    ]
    assert str(rights.Report((), ())) == "every right was used, no request was denied"
