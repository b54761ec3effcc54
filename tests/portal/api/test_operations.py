from __future__ import annotations

from tenancy.enums import ConditionStatus, ConditionType, Reason, StepState
from tenancy.models import VirtualCluster
from tenancy.rules.conditions import Condition
from tenancy.rules.specs import StepReport
from tests import factories
from tests.portal.api.client import assert_problem

FIRST = "/tenants/team/clusters/first"


def test_an_operation_tells_how_far_it_is(api):
    created = api.put(FIRST, {"spec": {}}).json()
    steps = (
        StepReport("namespace", StepState.DONE),
        StepReport("release", StepState.RUNNING, "waiting for Helm"),
        StepReport("access", StepState.PENDING),
    )
    factories.observe(VirtualCluster.objects.get(), steps=steps)

    body = api.get(created["status"]["operation"]).json()

    assert (body["kind"], body["state"], body["error"], body["finishedAt"]) == (
        "create",
        "running",
        None,
        None,
    )
    assert body["progress"] == {"done": 1, "total": 3}
    assert [(s["name"], s["state"], s["message"]) for s in body["steps"]] == [
        ("namespace", "done", ""),
        ("release", "running", "waiting for Helm"),
        ("access", "pending", ""),
    ]
    assert body["target"] == {
        "kind": "cluster",
        "tenant": "team",
        "name": "first",
        "uid": created["metadata"]["uid"],
        "generation": 1,
    }


def test_a_failed_operation_tells_why(api):
    where = api.put(FIRST, {"spec": {}}).json()["status"]["operation"]
    stall = Condition(ConditionType.STALLED, ConditionStatus.TRUE, Reason.CHART_INVALID, "values: bad", 1)
    factories.observe(VirtualCluster.objects.get(), stall)

    assert api.get(where).json()["error"] == {"code": "ChartInvalid", "message": "values: bad"}
    retried = api.post(f"{FIRST}/retry").json()["status"]["operation"]
    assert retried != where
    assert api.get(retried).json()["state"] == "running"


def test_lists_filter_exactly(api):
    for name in ("one", "two"):
        api.put(f"/tenants/team/clusters/{name}", {"spec": {}})
    factories.ready(VirtualCluster.objects.get(name="one"))

    def targets(query):
        return [item["target"]["name"] for item in api.get(f"/operations?{query}").json()["items"]]

    assert targets("") == ["two", "one"]
    assert targets("cluster=one") == targets("state=succeeded") == ["one"]
    assert targets(f"target={VirtualCluster.objects.get(name='two').uid}&kind=create&tenant=team") == ["two"]
    assert targets("tenant=other") == []


def test_operations_of_others_do_not_exist(api, outsider):
    where = api.put(FIRST, {"spec": {}}).json()["status"]["operation"]

    assert_problem(outsider.get(where), 404, "not-found")
    assert outsider.get("/operations").json()["items"] == []


def test_the_audit_log_tells_who_did_what(api, auditor):
    api.put(FIRST, {"spec": {}})

    mine = api.get("/tenants/team/audit?action=cluster.create").json()["items"]
    all_ = auditor.get("/audit?tenant=team&action=cluster.create").json()["items"]

    assert mine == all_
    (event,) = mine
    assert (event["actor"], event["target"]) == ("alice", "cluster/team/first")
    assert event["facts"]["generation"] == 1


def test_the_log_of_the_platform_is_not_for_teams(api):
    assert_problem(api.get("/audit"), 403, "not-allowed")
