from __future__ import annotations

import pytest

from tenancy.actions import nodes, work
from tenancy.enums import WorkKind
from tenancy.models import Node, NodeMove
from tenancy.rules.moves import NodeObservation
from tests import factories
from tests.portal.api.client import assert_problem

GOLD = {"spec": {"kind": "dedicated", "tenant": "team", "sandboxes": ["gvisor"]}}


@pytest.fixture
def blue(team):
    return factories.node("blue", labels={"zone": "a"})


def test_an_admin_makes_a_pool_and_assigns_it(admin, team):
    made = admin.put("/hosts/lab/pools/gold", GOLD)

    assert (made.status_code, made["Location"]) == (201, "/api/v1/hosts/lab/pools/gold")
    assert made.json()["spec"] == GOLD["spec"]
    assert made.json()["status"]["effective"] == {
        "kind": "dedicated",
        "tenant": "team",
        "selector": {},
        "tainted": True,
        "sandboxes": ["gvisor"],
        "accelerators": [],
        "reserved": {},
    }
    again = admin.put("/hosts/lab/pools/gold", made.json(), If_Match=made["ETag"])
    assert (again.status_code, again["ETag"]) == (200, made["ETag"])
    assert_problem(admin.put("/hosts/lab/pools/gold", GOLD, If_None_Match="*"), 412, "precondition-failed")
    assert [p["metadata"]["name"] for p in admin.get("/hosts/lab/pools?kind=dedicated").json()["items"]] == [
        "gold"
    ]
    assert admin.delete("/hosts/lab/pools/gold").status_code == 200
    assert_problem(admin.get("/hosts/lab/pools/gold"), 404, "not-found")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"tenant": "nobody"}, "spec.tenant"),
        ({"kind": "shared"}, "spec.tenant"),
        ({"tainted": False}, "spec.tainted"),
        ({"sandboxes": ["jail"]}, "spec.sandboxes[0]"),
        ({"color": "red"}, "spec.color"),
    ],
)
def test_a_pool_that_cannot_be(admin, team, change, path):
    body = assert_problem(
        admin.put("/hosts/lab/pools/gold", {"spec": {**GOLD["spec"], **change}}), 400, "invalid"
    )
    assert [e["path"] for e in body["errors"]] == [path]


def test_members_see_their_pools_and_no_others(admin, api, outsider, blue):
    admin.put("/hosts/lab/pools/gold", GOLD)
    admin.post("/hosts/lab/nodes/blue/move", {"pool": "gold"})

    assert api.get("/tenants/team/pools").json()["items"] == [
        {
            "name": "gold",
            "host": "lab",
            "kind": "dedicated",
            "sandboxes": ["gvisor"],
            "accelerators": [],
            "nodes": 1,
        }
    ]
    assert outsider.get("/tenants/other/pools").json()["items"] == []
    assert_problem(outsider.get("/tenants/team/pools"), 404, "not-found")


def test_a_move_is_asked_for_watched_and_kept_with_its_evidence(admin, auditor, blue):
    admin.put("/hosts/lab/pools/gold", GOLD)
    asked = admin.post("/hosts/lab/nodes/blue/move", {"pool": "gold"})

    assert (asked.status_code, asked["Location"]) == (202, "/api/v1/hosts/lab/nodes/blue")
    status = asked.json()["status"]
    assert (status["pool"], status["tenant"], status["holder"]) == ("gold", "team", "several")
    assert (status["move"]["state"], status["move"]["cause"]) == ("running", "asked for by root")
    node, move = Node.objects.get(), NodeMove.objects.get()
    lease = work.claim(WorkKind.NODE, node.uid)
    assert nodes.hand_over(lease, node.uid, move.uid)
    assert nodes.record(lease, node.uid, NodeObservation(move.uid, (), {"after": {"images": []}}, done=True))

    status = auditor.get("/hosts/lab/nodes/blue").json()["status"]
    assert (status["holder"], status["move"], status["facts"]["labels"]) == ("team", None, {"zone": "a"})
    (kept,) = auditor.get("/hosts/lab/nodes/blue/moves").json()["items"]
    assert (kept["state"], kept["fromPool"], kept["toPool"]) == ("succeeded", "", "gold")
    assert kept["evidence"] == {"after": {"images": []}}
    assert [n["metadata"]["name"] for n in auditor.get("/hosts/lab/nodes?pool=gold").json()["items"]] == [
        "blue"
    ]
    assert auditor.get("/hosts/lab/nodes?pool=tin").json()["items"] == []


def test_a_move_that_cannot_be(admin, blue):
    assert_problem(admin.post("/hosts/lab/nodes/blue/move", {"pool": "tin"}), 400, "invalid")
    assert_problem(admin.post("/hosts/lab/nodes/red/move", {"pool": None}), 404, "not-found")
    body = assert_problem(admin.post("/hosts/lab/nodes/blue/move", {}), 400, "invalid")
    assert [e["path"] for e in body["errors"]] == ["pool"]


def test_a_cluster_tells_its_pool(admin, api, blue):
    admin.put("/hosts/lab/pools/gold", GOLD)
    spec = {"spec": {"isolation": {"model": "dedicated-pool"}}}
    body = assert_problem(api.put("/tenants/team/clusters/first", spec), 400, "invalid")
    assert [e["path"] for e in body["errors"]] == ["spec.isolation.pool"]
    admin.post("/hosts/lab/nodes/blue/move", {"pool": "gold"})
    made = api.put("/tenants/team/clusters/first", spec).json()
    assert made["status"]["effective"]["isolation"] == {
        "model": "dedicated-pool",
        "sandbox": "gvisor",
        "pool": "gold",
    }
    assert_problem(admin.put("/hosts/lab/pools/gold", {"spec": {"kind": "dedicated"}}), 409, "in-use")
    assert_problem(admin.delete("/hosts/lab/pools/gold"), 409, "in-use")
