"""``…/ready`` of what is no cluster: the answers, and that who waits is told when it happens."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from portal.api import schema, waiting
from tenancy.actions import nodes, work
from tenancy.enums import WorkKind
from tenancy.models import HostCluster, NodeMove
from tenancy.rules.moves import NodeObservation
from tests import factories
from tests.portal.api.access_matrix import COLLECTED_ONCE
from tests.portal.api.client import assert_problem
from tests.portal.api.gpu import asked, day, granted, verb


@pytest.fixture
def meanwhile(monkeypatch):
    """Takes what happens while the portal sleeps between two looks."""
    real, acts = waiting.asyncio.sleep, []

    async def sleep(seconds):
        if acts:
            await sync_to_async(acts.pop(0))()
        await real(0)

    monkeypatch.setattr("portal.api.waiting.asyncio.sleep", sleep)
    return acts.append


def test_every_object_with_an_address_of_its_own_has_it():
    paths = schema.document()["paths"]
    single = {path for path, item in paths.items() if path.endswith("}") and "get" in item}

    assert {path for path in single if "get" not in paths.get(f"{path}/ready", {})} == {COLLECTED_ONCE}


def test_who_waits_for_a_decision_is_told_of_it(admin, api, pool, meanwhile):
    request = asked(api)
    address = f"/gpu-requests/{request['metadata']['uid']}"
    waits = assert_problem(api.get(f"{address}/ready"), 503, "not-ready")
    assert (waits["phase"], waits["detail"]) == ("requested", "the request is requested: an admin decides")
    assert api.get(f"{address}/ready")["Retry-After"] == "10"
    meanwhile(lambda: verb(admin, request, "approve", reason="fine"))

    told = api.get(f"{address}/ready?wait=30s")

    assert (told.status_code, told.json()) == (200, api.get(address).json())


def test_who_waits_in_vain_is_told_so(admin, api, pool, meanwhile):
    request = asked(api)
    meanwhile(lambda: verb(admin, request, "deny", reason="too many"))

    address = f"/gpu-requests/{request['metadata']['uid']}"
    body = assert_problem(api.get(f"{address}/ready?wait=30s"), 409, "will-not-be-ready")

    assert (body["phase"], body["detail"]) == ("denied", "the request is denied: too many")


def test_a_grant_is_ready_while_it_is_in_force(admin, api, pool):
    now, later = granted(api, admin), granted(api, admin, **{"from": day(9), "until": day(20)})
    ready = {one["metadata"]["uid"]: f"/gpu-grants/{one['metadata']['uid']}/ready" for one in (now, later)}
    first, second = ready.values()
    assert api.get(first).json()["status"]["phase"] == "active"
    assert day(9) in assert_problem(api.get(second), 503, "not-ready")["detail"]

    api.post(first.replace("/ready", "/return"), {})

    assert_problem(api.get(f"{first}?wait=30s"), 409, "will-not-be-ready")


def test_a_pool_is_ready_when_its_nodes_have_come(admin, team, meanwhile):
    node = factories.node("blue")
    spec = {"kind": "dedicated", "tenant": "team"}
    made = admin.put("/hosts/lab/pools/gold", {"spec": spec})
    assert "Retry-After" not in made
    admin.post("/hosts/lab/nodes/blue/move", {"pool": "gold"})
    for address in ("/hosts/lab/pools/gold/ready", "/hosts/lab/nodes/blue/ready"):
        assert "blue" in assert_problem(admin.get(address), 503, "not-ready")["detail"]

    def arrives():
        lease = work.claim(WorkKind.NODE, node.uid)
        move = NodeMove.objects.get(node=node)
        assert nodes.record(lease, node.uid, NodeObservation(move=move.uid, steps=(), evidence={}, done=True))
        work.finish(lease)

    meanwhile(arrives)

    assert admin.get("/hosts/lab/pools/gold/ready?wait=30s").status_code == 200
    assert admin.get("/hosts/lab/nodes/blue/ready").status_code == 200


def test_a_host_that_is_away_is_waited_for(admin, team):
    assert admin.get("/hosts/lab/ready").status_code == 200
    changed = admin.put("/hosts/lab", {"spec": {"kubeconfig": "in-cluster"}})
    assert (changed.status_code, changed["Retry-After"]) == (200, "2")
    assert_problem(admin.get("/hosts/lab/ready"), 503, "not-ready")
    HostCluster.objects.update(observed_generation=2, reachable="False", message="refused")

    body = assert_problem(admin.get("/hosts/lab/ready?wait=1s"), 503, "not-ready")

    assert (body["phase"], body["detail"]) == ("Unreachable", "host lab is not reachable: refused")


def test_who_waits_for_different_things_is_told_of_their_own(admin, api, pool, meanwhile):
    """One request is decided; another object of another kind, waited for at the same time, is not."""
    request = asked(api)
    HostCluster.objects.update(reachable="False")
    meanwhile(lambda: verb(admin, request, "approve", reason="fine"))

    assert admin.get(f"/gpu-requests/{request['metadata']['uid']}/ready?wait=5s").status_code == 200
    assert_problem(admin.get("/hosts/lab/ready?wait=1s"), 503, "not-ready")


def test_nothing_is_told_of_what_may_not_be_seen(outsider, api, admin, pool):
    uid = asked(api)["metadata"]["uid"]
    told = assert_problem(outsider.get(f"/gpu-requests/{uid}/ready?wait=30s"), 404, "not-found")
    assert uid not in told["detail"]
    assert_problem(api.get("/hosts/lab/ready"), 404, "not-found")


def test_every_delete_may_say_how_long_it_would_wait(admin, api, team):
    deletes = {
        path: {one["name"] for one in item["delete"]["parameters"]}
        for path, item in schema.document()["paths"].items()
        if "delete" in item
    }
    lifts = "/api/v1/tenants/{tenant}/clusters/{name}/quarantine"
    assert {path for path, names in deletes.items() if "wait" not in names} == {lifts}

    assert admin.delete("/tenants/team?wait=5s").status_code == 200
