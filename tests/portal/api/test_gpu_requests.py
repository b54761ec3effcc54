"""Requests for accelerators as scripts meet them: asked, looked at, decided."""

from __future__ import annotations

import pytest

from tenancy.actions import balances, members
from tenancy.actions.unit import atomic
from tenancy.models import (
    Node,
)
from tests import factories
from tests.portal.api.client import assert_problem
from tests.portal.api.gpu import ASK, asked, day, granted, verb


def test_a_request_is_made_decided_and_becomes_a_grant(admin, api, pool):
    made = api.post("/tenants/team/gpu-requests", ASK)
    request = made.json()
    uid = request["metadata"]["uid"]

    assert made["Location"] == f"/api/v1/gpu-requests/{uid}"
    assert request["spec"] == {
        "class": "gpu",
        "amount": 2,
        "from": day(0),
        "until": day(30),
        "justification": "training",
        "pool": None,
        "kind": "grant",
        "extends": None,
    }
    status = request["status"]
    assert {step["verb"]: step["by"] for step in status["next"]} == {
        "approve": "approver",
        "counter": "approver",
        "deny": "approver",
        "withdraw": "tenant",
    }
    assert (status["state"], status["grant"], status["lapsesOn"]) == ("requested", None, day(30))

    done = verb(admin, request, "approve", reason="fine", pool={"host": "lab", "name": "gpus"}).json()
    assert (done["status"]["state"], done["status"]["decidedBy"], done["status"]["decision"]) == (
        "approved",
        "root",
        "fine",
    )
    assert (done["status"]["next"], done["status"]["lapsesOn"]) == ([], None)
    grant = api.get(done["status"]["grant"]).json()
    assert grant["spec"] == {
        "class": "gpu",
        "amount": 2,
        "from": day(0),
        "until": day(30),
        "pool": {"host": "lab", "name": "gpus"},
    }
    assert (grant["status"]["phase"], grant["status"]["receipt"], grant["status"]["cause"]) == (
        "active",
        None,
        None,
    )
    assert api.get("/tenants/team/gpu-grants?closed=false&class=gpu").json()["items"] == [grant]
    assert api.get("/gpu-grants?closed=true").json()["items"] == []


def test_lists_are_filtered(admin, api, outsider, pool):
    first = asked(api)
    verb(api, first, "withdraw")
    second = asked(api, amount=1)

    def uids(path, by=api):
        return [r["metadata"]["uid"] for r in by.get(path).json()["items"]]

    both = [second["metadata"]["uid"], first["metadata"]["uid"]]
    assert uids("/gpu-requests") == both
    assert uids("/tenants/team/gpu-requests?state=withdrawn") == both[1:]
    assert uids("/gpu-requests?tenant=team&class=gpu&state=requested", admin) == both[:1]
    assert uids("/gpu-requests?class=other", admin) == []
    assert uids("/gpu-requests", outsider) == []
    page = api.get("/gpu-requests?class=gpu&limit=1").json()
    assert [r["metadata"]["uid"] for r in page["items"]] == both[:1]
    assert uids(page["next"]) == both[1:]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"class": "tpu"}, "spec.class"),
        ({"amount": 0}, "spec.amount"),
        ({"amount": "2"}, "spec.amount"),
        ({"from": "2020-01-01"}, "spec.from"),
        ({"until": "2020-01-01"}, "spec.until"),
        ({"until": "9999-12-31"}, "spec.until"),
        ({"justification": " "}, "spec.justification"),
        ({"pool": {"host": "lab", "name": "none"}}, "spec.pool"),
    ],
)
def test_a_request_that_cannot_be(api, pool, change, path):
    wish = {"spec": {**ASK["spec"], **change}}
    body = assert_problem(api.post("/tenants/team/gpu-requests", wish), 400, "invalid")
    assert [e["path"] for e in body["errors"]] == [path]


def test_the_same_key_asks_once(api, pool):
    first = api.post("/tenants/team/gpu-requests", ASK, Idempotency_Key="k1")
    again = api.post("/tenants/team/gpu-requests", ASK, Idempotency_Key="k1")
    assert (again.json(), again["Idempotency-Replayed"]) == (first.json(), "true")
    assert_problem(api.post("/tenants/team/gpu-requests", ASK), 409, "already-exists")


def test_a_replay_tells_nothing_to_those_who_left(admin, member, pool):
    request = asked(member)
    path = f"/gpu-requests/{request['metadata']['uid']}/withdraw"
    assert member.post(path, Idempotency_Key="k").status_code == 200
    members.remove(by=factories.admin(), tenant="team", username="mia")
    assert_problem(member.post(path, Idempotency_Key="k"), 404, "not-found")


def test_nobody_decides_their_own_request(admin, pool):
    mine = asked(admin)
    body = assert_problem(verb(admin, mine, "approve", reason="mine"), 403, "not-allowed")
    assert "another admin" in body["detail"]


def test_a_counter_offer_keeps_what_it_does_not_name(admin, api, pool):
    request = asked(api, amount=4, until=day(10))
    offer = verb(admin, request, "counter", amount=1, reason="one will do").json()
    assert (offer["status"]["state"], offer["spec"]["amount"], offer["spec"]["until"]) == (
        "countered",
        1,
        day(10),
    )
    done = verb(api, request, "accept").json()
    assert (done["status"]["state"], done["status"]["decision"]) == ("approved", "one will do")
    assert_problem(verb(api, request, "decline"), 409, "invalid-transition")


def test_nobody_agrees_to_other_terms_than_they_read(admin, api, pool):
    path = f"/gpu-requests/{asked(api, amount=4)['metadata']['uid']}"
    read = api.get(path)["ETag"]
    admin.post(f"{path}/counter", {"amount": 2, "reason": "two will do"})
    assert_problem(admin.post(f"{path}/approve", {"reason": "x"}, If_Match=read), 412, "precondition-failed")
    offered = api.get(path)["ETag"]
    assert offered != read
    admin.post(f"{path}/counter", {"amount": 1, "reason": "one"})
    assert_problem(api.post(f"{path}/accept", If_Match=offered), 412, "precondition-failed")
    assert api.get(path).json()["status"]["state"] == "countered"
    assert api.post(f"{path}/accept", If_Match=api.get(path)["ETag"]).json()["spec"]["amount"] == 1


def test_what_if_shows_what_approval_finds(admin, api, outsider, pool):
    granted(api, admin, amount=3, until=day(5))
    factories.accelerator(two_approvers_from=4)
    other = outsider.post("/tenants/other/gpu-requests", ASK).json()
    path = f"/gpu-requests/{other['metadata']['uid']}/what-if"

    shown = admin.get(path).json()

    (held,) = shown["displaced"]
    assert (held["tenant"], held["amount"], held["until"]) == ("team", 3, day(5))
    assert [e["tenant"] for e in shown["ending"]] == ["team"]
    (choice,) = shown["pools"]
    assert choice == {
        "host": "lab",
        "name": "gpus",
        "verdict": shown["verdict"],
        "capacity": 4,
        "freeNow": 1,
        "freeAtStart": 1,
        "freeThroughout": 1,
        "deficit": 0,
        "largestNode": 4,
        "nodes": [{"name": "gpus-1", "devices": 4, "free": 4}],
        "sandboxes": ["gvisor", "userns", "none"],
        "note": "",
    }
    assert (shown["verdict"]["granted"], shown["verdict"]["fits"], shown["needsTwo"]) == (False, 1, False)
    assert "the next grant there ends on" in shown["verdict"]["reason"]
    assert shown["pool"] == {"host": "lab", "name": "gpus"}
    assert shown["account"] == {
        "limit": None,
        "granted": 0,
        "held": 0,
        "used": 0,
        "asleep": 0,
        "efficiency": {"grantedHours": 0.0, "held": None, "used": None},
    }
    body = assert_problem(verb(admin, other, "approve", reason="fine"), 409, "does-not-fit")
    assert [e["detail"] for e in body["errors"]] == ["nearest that fits: 1"]

    later = admin.get(f"{path}?amount=4&from={day(5)}&until={day(9)}&pool=lab/gpus").json()
    assert (later["verdict"]["granted"], later["displaced"], later["needsTwo"]) == (True, [], True)
    assert (later["pools"][0]["freeNow"], later["pools"][0]["freeAtStart"]) == (1, 4)
    bad = assert_problem(admin.get(f"{path}?pool=lab/none"), 400, "invalid")
    assert [e["path"] for e in bad["errors"]] == ["query.pool"]
    bad = assert_problem(admin.get(f"{path}?until={day(0)}"), 400, "invalid")
    assert [e["path"] for e in bad["errors"]] == ["query.until"]


def test_eight_free_but_no_node_with_eight(admin, api, pool):
    factories.gpu_node("gpus-2", pool, 4)
    request = asked(api, amount=8)
    (choice,) = admin.get(f"/gpu-requests/{request['metadata']['uid']}/what-if").json()["pools"]
    assert (choice["verdict"]["granted"], choice["freeNow"], choice["largestNode"]) == (True, 8, 4)
    assert choice["note"] == (
        "8 are not in use, but no node has 8 such: the most on one is 4, and a pod stays on one node"
    )


def test_lost_devices_freeze_approvals_and_the_what_if_says_so(admin, api, pool):
    granted(api, admin, amount=4)
    node = Node.objects.get(name="gpus-1")
    Node.objects.filter(pk=node.pk).update(facts={**node.facts, "schedulable": False})
    with atomic():
        balances.recount_host(node.host)
    request = asked(api, amount=1, **{"from": day(31)})
    shown = admin.get(f"/gpu-requests/{request['metadata']['uid']}/what-if").json()
    assert (shown["pools"][0]["deficit"], shown["pools"][0]["capacity"], shown["pools"][0]["freeNow"]) == (
        4,
        0,
        0,
    )
    assert "fewer devices than are promised" in shown["verdict"]["reason"]
    (stock,) = admin.get("/hosts/lab/accelerators").json()["stock"]
    assert (stock["deficit"], stock["promised"], stock["nodes"]) == (4, 4, [])
