from __future__ import annotations

import json

import pytest
from rest_framework.renderers import JSONRenderer

from portal.api.serializers.clusters import Condition
from tenancy.enums import ConditionStatus, Reason
from tenancy.models import Operation, VirtualCluster
from tenancy.rules.add_on_states import AddOnState
from tests import factories
from tests.portal.api.client import assert_problem

FIRST = "/tenants/team/clusters/first"
SPEC = {
    "resources": {"memory": "1Gi", "cpu": 2},
    "isolation": {"sandbox": None},
    "kubernetesVersion": "1.36",
}


def test_put_creates_with_location_and_echoes_the_spec_as_written(api):
    response = api.put(FIRST, {"spec": SPEC})

    assert response.status_code == 201
    assert response["Location"] == "/api/v1/tenants/team/clusters/first"
    assert response["Retry-After"] == "2"
    body = response.json()
    assert list(body) == ["metadata", "spec", "status"]
    assert list(body["spec"].items()) == list(SPEC.items())
    assert list(body["spec"]["resources"].items()) == [("memory", "1Gi"), ("cpu", 2)]
    assert body["metadata"] | {"uid": "", "createdAt": ""} == {
        "name": "first",
        "tenant": "team",
        "uid": "",
        "generation": 1,
        "createdAt": "",
        "createdBy": "alice",
    }
    assert response["ETag"] == f'"{body["metadata"]["uid"]}-1"'
    assert response["Cache-Control"] == "no-store"


def test_status_tells_phase_conditions_effective_and_operation(api):
    body = api.put(FIRST, {"spec": SPEC}).json()

    status = body["status"]
    assert (status["phase"], status["observedGeneration"], status["endpoint"]) == ("Pending", 0, "")
    assert [c["type"] for c in status["conditions"]][:2] == ["Approved", "HostReachable"]
    assert [c["reason"] for c in status["conditions"]][:2] == ["AsWanted", "NotYetReported"]
    assert status["effective"] == {
        "kubernetesVersion": "1.36",
        "isolation": {"model": "shared", "sandbox": "gvisor", "pool": None},
        "resources": {"cpu": "2", "memory": "1024Mi", "storage": "20480Mi", "pods": 50},
        "addOns": [],
        "persistence": "persistent",
    }
    assert status["operation"] == f"/api/v1/operations/{Operation.objects.get().uid}"
    assert api.get(FIRST).json() == body


def test_conditions_are_told_as_the_document_says(api):
    told = api.put(FIRST, {"spec": SPEC}).json()["status"]["conditions"]

    rows = {row.type: row for row in VirtualCluster.objects.get().conditions.all()}
    assert told == json.loads(JSONRenderer().render([Condition(rows[c["type"]]).data for c in told]))


def test_put_of_the_same_spec_changes_nothing(api):
    first = api.put(FIRST, {"spec": SPEC})
    factories.ready(VirtualCluster.objects.get())

    second = api.put(FIRST, {"spec": SPEC})

    assert second.status_code == 200
    assert second["ETag"] == first["ETag"]
    assert "Retry-After" not in second
    assert second.json()["status"]["phase"] == "Ready"
    assert Operation.objects.count() == 1


def test_put_of_another_spec_raises_the_generation_and_leaves_ready(api):
    api.put(FIRST, {"spec": SPEC})
    factories.ready(VirtualCluster.objects.get())

    response = api.put(FIRST, {"spec": {}})

    assert response.status_code == 200
    body = response.json()
    assert body["spec"] == {}
    assert (body["metadata"]["generation"], body["status"]["observedGeneration"]) == (2, 1)
    assert body["status"]["phase"] == "Updating"
    assert response["Retry-After"] == "2"


def test_put_takes_a_whole_object_as_it_was_read(api):
    api.put(FIRST, {"spec": SPEC})
    read = api.get(FIRST).json()
    read["status"]["phase"] = "Nonsense"

    response = api.put(FIRST, read)

    assert response.status_code == 200
    assert response.json()["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("metadata", "path"),
    [({"name": "second"}, "metadata.name"), ({"tenant": "other"}, "metadata.tenant")],
)
def test_put_refuses_metadata_that_contradicts_the_address(api, metadata, path):
    body = assert_problem(api.put(FIRST, {"metadata": metadata, "spec": {}}), 400, "invalid")

    assert [(e["path"], e["code"]) for e in body["errors"]] == [(path, "contradicts-address")]


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, [("spec", "required")]),
        ({"spec": []}, [("spec", "wrong-type")]),
        ({"spec": None}, [("spec", "null")]),
        ({"spec": {}, "specs": {}}, [("specs", "unknown-field")]),
        ({"spec": {}, "metadata": {"labels": {}}}, [("metadata.labels", "unknown-field")]),
        ({"spec": {}, "metadata": {"name": 5}}, [("metadata.name", "invalid")]),
        ([], [("body", "invalid")]),
        ({"spec": {"cpus": 4}}, [("spec.cpus", "unknown-field")]),
        ({"spec": {"resources": {"cpu": "many"}}}, [("spec.resources.cpu", "not-a-quantity")]),
        ({"spec": {"resources": {"pods": 10**40}}}, [("spec.resources.pods", "out-of-range")]),
        ({"spec": {"kubernetesVersion": "1.12"}}, [("spec.kubernetesVersion", "not-offered")]),
        ({"spec": {"isolation": {"sandbox": "none"}}}, [("spec.isolation.sandbox", "not-trusted")]),
    ],
)
def test_put_names_every_fault(api, body, faults):
    problem = assert_problem(api.put(FIRST, body), 400, "invalid")

    assert [(e["path"], e["code"]) for e in problem["errors"]] == faults
    assert not VirtualCluster.objects.exists()


@pytest.mark.parametrize("name", ["First", "a" * 25, "api", "-x"])
def test_put_refuses_names_that_do_not_fit(api, name):
    problem = assert_problem(api.put(f"/tenants/team/clusters/{name}", {"spec": {}}), 400, "invalid")

    assert problem["errors"][0]["path"] == "metadata.name"


def test_if_match_lets_only_the_newest_reader_write(api):
    tag = api.put(FIRST, {"spec": {}})["ETag"]
    assert api.put(FIRST, {"spec": SPEC}, If_Match=tag).status_code == 200

    assert_problem(api.put(FIRST, {"spec": {}}, If_Match=tag), 412, "precondition-failed")
    assert_problem(api.delete(FIRST, If_Match=tag), 412, "precondition-failed")
    assert api.put(FIRST, {"spec": {}}, If_Match='"x", ' + api.get(FIRST)["ETag"]).status_code == 200


def test_if_match_of_a_cluster_that_is_not_there_fails(api):
    assert_problem(api.put(FIRST, {"spec": {}}, If_Match="*"), 412, "precondition-failed")


def test_if_none_match_creates_only(api):
    assert api.put(FIRST, {"spec": {}}, If_None_Match="*").status_code == 201
    assert_problem(api.put(FIRST, {"spec": {}}, If_None_Match="*"), 412, "precondition-failed")


@pytest.mark.parametrize(("header", "value"), [("If_Match", "abc"), ("If_None_Match", '"abc"')])
def test_preconditions_that_cannot_be_read_are_refused(api, header, value):
    problem = assert_problem(api.put(FIRST, {"spec": {}}, **{header: value}), 400, "invalid")

    assert problem["errors"][0]["path"] == f"header.{header.replace('_', '-')}"


def test_dry_run_tells_and_does_nothing(api):
    plan = api.put(f"{FIRST}?dry_run=true", {"spec": SPEC})

    assert plan.status_code == 200
    assert (plan.json()["action"], plan.json()["host"]) == ("create", "lab")
    assert {"path": "spec.resources.cpu", "old": None, "new": 2} in plan.json()["changes"]
    assert not VirtualCluster.objects.exists()


def test_dry_run_of_a_change_lists_what_differs(api):
    api.put(FIRST, {"spec": SPEC})

    plan = api.put(
        f"{FIRST}?dry_run=true", {"spec": {**SPEC, "resources": {"memory": "2Gi", "cpu": 2}}}
    ).json()

    assert plan == {
        "action": "update",
        "host": "lab",
        "changes": [{"path": "spec.resources.memory", "old": "1Gi", "new": "2Gi"}],
        "accelerators": [],
        "effective": [{"path": "resources.memory", "old": "1024Mi", "new": "2048Mi"}],
        "template": None,
    }
    assert VirtualCluster.objects.get().generation == 1


def test_post_creates_once(api):
    body = {"metadata": {"name": "first"}, "spec": SPEC}
    response = api.post("/tenants/team/clusters", body)

    assert (response.status_code, response["Location"]) == (201, "/api/v1/tenants/team/clusters/first")
    assert_problem(api.post("/tenants/team/clusters", body), 409, "already-exists")


def test_post_without_a_name_is_told_so(api):
    problem = assert_problem(api.post("/tenants/team/clusters", {"spec": {}}), 400, "invalid")

    assert problem["errors"] == [
        {"path": "metadata.name", "code": "required", "detail": "give a name, for example 'first'"}
    ]


def test_delete_is_accepted_readable_and_repeatable(api):
    api.put(FIRST, {"spec": {}})

    first, second = api.delete(FIRST), api.delete(FIRST)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first["Location"] == "/api/v1/tenants/team/clusters/first"
    assert first.json() == second.json() == api.get(FIRST).json()
    assert first.json()["status"]["phase"] == "Deleting"
    assert_problem(api.put(FIRST, {"spec": {}}), 409, "being-deleted")


def test_a_name_is_free_again_with_a_new_uid(api):
    uid = api.put(FIRST, {"spec": {}}).json()["metadata"]["uid"]
    api.delete(FIRST)
    factories.observe(VirtualCluster.objects.get(), gone=True)

    assert_problem(api.get(FIRST), 404, "not-found")
    assert_problem(api.delete(FIRST), 404, "not-found")
    again = api.put(FIRST, {"spec": {}})
    assert again.status_code == 201
    assert again.json()["metadata"]["uid"] != uid


def test_delete_of_a_protected_cluster_says_how(api):
    api.put(FIRST, {"spec": {"deletionProtection": True}})

    problem = assert_problem(api.delete(FIRST), 409, "deletion-protected")

    assert "spec.deletionProtection" in problem["detail"]


def test_retry_answers_with_the_cluster(api):
    api.put(FIRST, {"spec": {}})

    response = api.post(f"{FIRST}/retry")

    assert response.status_code == 202
    assert response.json()["metadata"]["name"] == "first"


def test_foreign_and_unknown_look_alike(api, outsider):
    api.put(FIRST, {"spec": {}})

    foreign = outsider.get(FIRST)
    api.delete(FIRST)
    factories.observe(VirtualCluster.objects.get(), gone=True)
    unknown = outsider.get(FIRST)

    assert_problem(foreign, 404, "not-found")
    assert foreign.content == unknown.content


@pytest.mark.parametrize("path", ["/tenants/team", "/tenants/team/clusters", "/tenants/team/members"])
def test_a_foreign_tenant_looks_like_none(outsider, team, path):
    foreign = outsider.get(path).json()
    unknown = outsider.get(path.replace("team", "maet")).json()

    assert foreign["detail"] == unknown["detail"].replace("maet", "team")
    assert (foreign["status"], foreign["code"]) == (404, "not-found")


def test_list_filters_exactly(api):
    for name in ("one", "two"):
        api.put(f"/tenants/team/clusters/{name}", {"spec": {}})
    factories.ready(VirtualCluster.objects.get(name="two"))

    assert _names(api, "?phase=Ready") == ["two"]
    assert _names(api, "?name=one") == ["one"]
    assert _names(api, "?name=on") == []
    assert _names(api, "?name=one&phase=Ready") == []
    assert _names(api, "") == ["one", "two"]


def _names(api, query):
    return [item["metadata"]["name"] for item in api.get(f"/tenants/team/clusters{query}").json()["items"]]


def test_list_items_are_whole_objects_and_cost_the_same_for_one_and_three(api, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    api.put(FIRST, {"spec": {}})
    api.get("/tenants/team/clusters")
    with CaptureQueriesContext(connection) as one:
        items = api.get("/tenants/team/clusters").json()["items"]
    cost = len(one)
    assert items == [api.get(FIRST).json()]
    for name in ("two", "three"):
        api.put(f"/tenants/team/clusters/{name}", {"spec": {}})
    with django_assert_num_queries(cost):
        assert len(api.get("/tenants/team/clusters").json()["items"]) == 3


def test_status_tells_of_each_add_on(api):
    factories.add_on()
    address = "/tenants/team/clusters/greeted"
    chosen = {"name": "motd", "version": "1.0.0"}
    made = api.put(address, {"spec": {"addOns": [chosen]}}).json()
    unknown = {**chosen, "status": "Unknown", "reason": "NotYetReported", "message": ""}
    assert made["status"]["addOns"] == [unknown]
    assert api.put(FIRST, {"spec": SPEC}).json()["status"]["addOns"] == []

    why = "add-on motd 1.0.0, Job setup: it failed"
    seen = AddOnState("motd", "1.0.0", ConditionStatus.FALSE, Reason.ADD_ON_FAILED, why)
    factories.observe(VirtualCluster.objects.get(name="greeted"), add_ons=(seen,))
    told = {**chosen, "status": "False", "reason": "AddOnFailed", "message": why}
    assert api.get(address).json()["status"]["addOns"] == [told]
