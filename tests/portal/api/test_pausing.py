"""Sleep by API: as part of the spec, and as two verbs that write it."""

from __future__ import annotations

import pytest

from tenancy.enums import ConditionStatus, ConditionType, Reason
from tenancy.models import VirtualCluster
from tenancy.rules.conditions import Condition
from tests import factories
from tests.portal.api.client import assert_problem

PATH = "/api/v1/tenants/team/clusters/first"
MESSAGE = "nothing of it runs: set spec.paused to false and it wakes"


@pytest.fixture
def cluster(api):
    api.put(PATH, {"spec": {}})
    return factories.ready(VirtualCluster.objects.get())


def asleep(cluster):
    cluster.refresh_from_db()
    seen = Condition(ConditionType.PAUSED, ConditionStatus.TRUE, Reason.PAUSED, MESSAGE, cluster.generation)
    return factories.observe(cluster, seen, clean=True)


def test_it_is_written_as_anything_else_and_the_plan_shows_it(api, cluster):
    plan = api.put(f"{PATH}?dry_run=true", {"spec": {"paused": True}}).json()
    assert [(c["path"], c["new"]) for c in plan["changes"]] == [("spec.paused", True)]
    assert plan["effective"] == [{"path": "paused", "old": False, "new": True}]
    written = api.put(PATH, {"spec": {"paused": True}})
    assert (written.status_code, written.json()["spec"]) == (200, {"paused": True})
    assert written.json()["status"]["phase"] == "Updating"
    asleep(cluster)
    again = api.put(PATH, {"spec": {"paused": True}})
    assert again.json()["metadata"]["generation"] == written.json()["metadata"]["generation"]
    assert api.put(f"{PATH}?dry_run=true", {"spec": {"paused": True}}).json()["action"] == "none"
    status = again.json()["status"]
    assert (status["phase"], status["message"], status["observedGeneration"]) == ("Paused", MESSAGE, 2)
    assert api.get("/api/v1/tenants/team/clusters?phase=Paused").json()["items"] != []


def test_who_waits_or_wants_in_is_told_how_to_wake_it(api, cluster):
    api.post(f"{PATH}/pause", {})
    assert api.get(f"{PATH}/ready").status_code == 503
    asleep(cluster)
    problem = assert_problem(api.get(f"{PATH}/ready?wait=10s"), 409, "will-not-be-ready")
    assert (problem["phase"], MESSAGE in problem["detail"]) == ("Paused", True)
    for path in ("kubeconfig", "reports"):
        problem = assert_problem(api.post(f"{PATH}/{path}", {}), 409, "paused")
        assert "set spec.paused to false" in problem["detail"]


def test_the_verbs_write_the_spec(api, cluster):
    paused = api.post(f"{PATH}/pause", {"releaseAccelerators": True})
    assert paused.status_code == 202
    assert paused.json()["spec"] == {"paused": True, "releaseAcceleratorsWhilePaused": True}
    assert paused.json()["status"]["operation"]
    again = api.post(f"{PATH}/pause", {})
    assert again.json()["metadata"]["generation"] == 2
    woken = api.post(f"{PATH}/resume")
    assert (woken.status_code, woken.json()["spec"]) == (202, {"releaseAcceleratorsWhilePaused": True})
    assert_problem(api.post(f"{PATH}/pause", {"release": True}), 400, "invalid")


def test_a_template_says_it_for_its_clusters(api):
    factories.published("1.0.0", {"paused": True}, locked=["paused"])
    template = {"template": {"name": "web", "version": "1.0.0"}}
    api.put(PATH, {"spec": template})
    cluster = VirtualCluster.objects.get()
    assert asleep(cluster).phase == "Paused"
    problem = assert_problem(api.post(f"{PATH}/resume"), 400, "invalid")
    assert [e["path"] for e in problem["errors"]] == ["spec.paused"]
