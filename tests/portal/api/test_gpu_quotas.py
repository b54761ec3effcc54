"""The workflow of accelerators as scripts meet it: catalogue, limits, requests, what-if, grants, clusters, reports."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenancy.actions import balances, grants, members
from tenancy.actions.unit import atomic
from tenancy.enums import Role
from tenancy.models import (
    AcceleratorClass,
    Allocation,
    DeviceUsage,
    Node,
    PoolBalance,
    Tenant,
    VirtualCluster,
)
from tenancy.queries import calendar
from tenancy.rules import attestation
from tests import factories
from tests.portal.api.client import Api, assert_problem

H100 = {"spec": {"resource": "nvidia.com/gpu", "title": "H100", "autoApproveUpTo": 1, "graceSeconds": 60}}
ASK = {"spec": {"class": "gpu", "amount": 2, "justification": "training"}}


def day(after):
    return (calendar.today() + timedelta(days=after)).isoformat()


@pytest.fixture
def pool(team):
    factories.accelerator()
    return factories.gpu_pool(4)


@pytest.fixture
def member(team):
    mia = factories.actor("mia")
    members.put(by=factories.admin(), tenant="team", username="mia", role=Role.MEMBER)
    return Api(mia)


def asked(api, **spec):
    made = api.post("/tenants/team/gpu-requests", {"spec": {**ASK["spec"], **spec}})
    assert made.status_code == 201, made.content
    return made.json()


def verb(api, request, word, **body):
    return api.post(f"/gpu-requests/{request['metadata']['uid']}/{word}", body or None)


def granted(api, admin, **spec):
    done = verb(admin, asked(api, **spec), "approve", reason="fine")
    assert done.status_code == 200, done.content
    return api.get(done.json()["status"]["grant"]).json()


def test_an_admin_names_a_class_and_everybody_reads_it(admin, api):
    made = admin.put("/accelerator-classes/h100", H100)

    assert (made.status_code, made["Location"]) == (201, "/api/v1/accelerator-classes/h100")
    spec = {
        "title": "H100",
        "kind": "extended-resource",
        "resource": "nvidia.com/gpu",
        "labels": {},
        "weight": 1,
        "offered": True,
        "autoApproveUpTo": 1,
        "twoApproversFrom": 0,
        "defaultDays": 30,
        "longestDays": 365,
        "graceSeconds": 60,
    }
    assert api.get("/accelerator-classes/h100").json()["spec"] == spec
    again = admin.put("/accelerator-classes/h100", made.json(), If_Match=made["ETag"])
    assert (again.status_code, again["ETag"]) == (200, made["ETag"])
    assert_problem(
        admin.put("/accelerator-classes/h100", H100, If_None_Match="*"), 412, "precondition-failed"
    )
    assert [c["metadata"]["name"] for c in api.get("/accelerator-classes?offered=true").json()["items"]] == [
        "h100"
    ]
    assert api.get("/accelerator-classes?offered=false").json()["items"] == []
    assert admin.delete("/accelerator-classes/h100").json()["spec"] == spec
    assert_problem(api.get("/accelerator-classes/h100"), 404, "not-found")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"resource": "gpu"}, "spec.resource"),
        ({"weight": 0}, "spec.weight"),
        ({"defaultDays": 400}, "spec.defaultDays"),
        ({"color": "red"}, "spec.color"),
    ],
)
def test_a_class_that_cannot_be(admin, team, change, path):
    wish = {"spec": {**H100["spec"], **change}}
    body = assert_problem(admin.put("/accelerator-classes/h100", wish), 400, "invalid")
    assert [e["path"] for e in body["errors"]] == [path]


def test_what_a_host_has_and_what_no_class_names_yet(admin, pool):
    factories.gpu_node("amd-1", pool, 8, "amd.com/gpu", labels={"amd.com/gpu.product-name": "MI300X"})

    found = admin.get("/hosts/lab/accelerators").json()

    assert found == {
        "host": "lab",
        "stock": [
            {
                "class": "gpu",
                "pool": "gpus",
                "capacity": 4,
                "reserved": 0,
                "promised": 0,
                "deficit": 0,
                "nodes": [{"name": "gpus-1", "devices": 4, "free": 4}],
            }
        ],
        "discovered": [
            {
                "kind": "extended-resource",
                "resource": "amd.com/gpu",
                "labels": {"amd.com/gpu.product-name": "MI300X"},
                "devices": 8,
                "nodes": 1,
            }
        ],
    }


def test_reserved_devices_are_granted_to_nobody(admin, api, pool):
    spec = admin.get("/hosts/lab/pools/gpus").json()["spec"]
    changed = admin.put("/hosts/lab/pools/gpus", {"spec": {**spec, "reserved": {"gpu": 3}}})
    assert changed.json()["spec"]["reserved"] == {"gpu": 3}
    assert PoolBalance.objects.get().capacity == 1
    assert_problem(verb(admin, asked(api), "approve", reason="fine"), 409, "does-not-fit")

    admin.put("/hosts/lab/pools/gpus", {"spec": {**spec, "accelerators": ["other"]}})
    assert PoolBalance.objects.get().capacity == 0
    admin.put("/hosts/lab/pools/gpus", {"spec": spec})
    assert PoolBalance.objects.get().capacity == 4
    body = assert_problem(
        admin.put("/hosts/lab/pools/gpus", {"spec": {**spec, "reserved": {"tpu": 1}}}), 400, "invalid"
    )
    assert [e["path"] for e in body["errors"]] == ["spec.reserved.tpu"]


def test_a_pool_whose_devices_are_granted_keeps_its_hands(admin, api, team):
    factories.accelerator()
    factories.tenant("next")
    factories.gpu_pool(4, tenant_name="team")
    granted(api, admin)
    spec = admin.get("/hosts/lab/pools/gpus").json()["spec"]
    changed = admin.put("/hosts/lab/pools/gpus", {"spec": {**spec, "tenant": "next"}})
    assert "return them early" in assert_problem(changed, 409, "conflict")["detail"]
    assert_problem(admin.delete("/hosts/lab/pools/gpus"), 409, "conflict")


def test_a_limit_holds(admin, api, pool):
    made = admin.put("/tenants/team/accelerator-limits/gpu", {"spec": {"amount": 1}})
    assert (made.status_code, made["Location"]) == (201, "/api/v1/tenants/team/accelerator-limits/gpu")
    limit = {"metadata": {"class": "gpu", "tenant": "team"}, "spec": {"amount": 1}}
    assert api.get("/tenants/team/accelerator-limits").json() == {"items": [limit], "next": None}
    body = assert_problem(verb(admin, asked(api), "approve", reason="fine"), 409, "does-not-fit")
    assert "limit is 1" in body["detail"]
    assert admin.delete("/tenants/team/accelerator-limits/gpu").json() == limit
    assert_problem(api.get("/tenants/team/accelerator-limits/gpu"), 404, "not-found")


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
    assert choice["note"] == ("8 free, but no node with 8: the most on one is 4, and a pod stays on one node")


def test_an_extension_stays_in_its_pool(admin, api, pool):
    factories.gpu_pool(4, "more")
    grant = granted(api, admin, pool={"host": "lab", "name": "gpus"})
    made = api.post(
        f"/gpu-grants/{grant['metadata']['uid']}/extend", {"until": day(60), "justification": "not done"}
    )
    assert made.status_code == 201
    request = made.json()
    assert (request["spec"]["kind"], request["spec"]["extends"]) == (
        "extension",
        f"/api/v1/gpu-grants/{grant['metadata']['uid']}",
    )
    elsewhere = verb(admin, request, "approve", reason="ok", pool={"host": "lab", "name": "more"})
    body = assert_problem(elsewhere, 400, "invalid")
    assert [e["path"] for e in body["errors"]] == ["pool"]
    assert verb(admin, request, "approve", reason="ok").status_code == 200
    assert api.get(f"/gpu-grants/{grant['metadata']['uid']}").json()["spec"]["until"] == day(60)


def test_an_early_return_ends_with_a_receipt(admin, api, pool):
    grant = granted(api, admin)
    path = f"/gpu-grants/{grant['metadata']['uid']}"
    assert_problem(api.get(f"{path}/receipt"), 409, "conflict")

    ended = api.post(f"{path}/return", {"reason": "done"})
    assert (ended.status_code, ended.json()["status"]["phase"]) == (202, "reclaiming")
    assert ended.json()["status"]["cause"] == "returned"
    grants.tick()

    status = api.get(path).json()["status"]
    assert (status["phase"], status["receipt"], status["endedBy"]) == (
        "reclaimed",
        f"/api/v1{path}/receipt",
        "alice",
    )
    answer = api.get(f"{path}/receipt")
    assert answer["Content-Type"] == "application/jose"
    said = attestation.opened(settings.SIGNING_KEYS, answer.content.decode(), kind=grants.RECEIPT)
    assert said is not None
    assert json.loads(said)["grant"] == grant["metadata"]["uid"]


def test_a_cluster_tells_what_it_has_and_what_it_waits_for(admin, api, pool):
    wish = {"spec": {"accelerators": [{"class": "gpu", "count": 2}]}}
    waiting = api.put("/tenants/team/clusters/first", wish).json()["status"]
    assert waiting["phase"] == "AwaitingApproval"
    assert waiting["accelerators"] == [
        {"class": "gpu", "asked": 2, "granted": 0, "held": 0, "request": waiting["request"]}
    ]
    request = api.get(waiting["request"]).json()
    assert (request["spec"]["amount"], request["status"]["forClusters"]) == (2, True)

    verb(admin, request, "approve", reason="fine")
    status = api.get("/tenants/team/clusters/first").json()["status"]
    assert (status["phase"], status["request"]) == ("Pending", None)
    assert status["accelerators"] == [{"class": "gpu", "asked": 2, "granted": 2, "held": 2, "request": None}]

    api.put("/tenants/team/clusters/first", {"spec": {}})
    status = api.get("/tenants/team/clusters/first").json()["status"]
    assert status["accelerators"] == [{"class": "gpu", "asked": 0, "granted": 0, "held": 2, "request": None}]


def test_a_dry_run_tells_the_quotas_verdict(admin, api, pool):
    granted(api, admin, amount=2)

    def plan(count):
        wish = {"spec": {"accelerators": [{"class": "gpu", "count": count}]}}
        answer = api.put("/tenants/team/clusters/first?dry_run=true", wish)
        assert answer.status_code == 200, answer.content
        (found,) = answer.json()["accelerators"]
        return found

    assert plan(2) == {
        "class": "gpu",
        "count": 2,
        "lacking": 0,
        "approval": "none",
        "fits": True,
        "message": "2 gpu: within your grant",
    }
    more = plan(3)
    assert (more["lacking"], more["approval"], more["fits"]) == (3, "admin", False)
    assert "2 of 4 devices of pool 'gpus' are free" in more["message"]
    factories.accelerator(auto_approve_up_to=9)
    factories.gpu_node("gpus-2", pool, 4)
    assert plan(3)["approval"] == "policy"
    assert not VirtualCluster.objects.exists()
    assert Allocation.objects.count() == 0


def test_what_was_used(admin, auditor, api, outsider, pool):
    rows = {"accelerator": AcceleratorClass.objects.get(), "sampled_at": timezone.now()}
    team = Tenant.objects.get(name="team")
    today = calendar.today()
    DeviceUsage.objects.create(tenant=team, day=today, granted=72_000, held=36_000, used=18_000, **rows)
    DeviceUsage.objects.create(tenant=team, day=today - timedelta(days=40), granted=3600, **rows)
    factories.accelerator(weight=10)

    line = {
        "tenant": "team",
        "class": "gpu",
        "weight": 10,
        "grantedHours": 20.0,
        "heldHours": 10.0,
        "usedHours": 5.0,
        "grantedUnits": 200.0,
        "efficiency": 0.25,
    }
    assert api.get("/tenants/team/gpu-usage").json() == {
        "from": day(-29),
        "until": day(1),
        "items": [line],
    }
    assert auditor.get(f"/gpu-usage?from={day(-41)}&until={day(0)}").json()["items"][0]["grantedHours"] == 1.0
    for answer in (api.get("/tenants/team/gpu-usage?format=csv"), admin.get("/gpu-usage", Accept="text/csv")):
        assert answer["Content-Type"] == "text/csv"
        assert answer.content.decode().splitlines() == [
            f"from,until,{','.join(line)}",
            f"{day(-29)},{day(1)},team,gpu,10,20.0,10.0,5.0,200.0,0.25",
        ]
    assert_problem(api.get(f"/tenants/team/gpu-usage?from={day(1)}&until={day(1)}"), 400, "invalid")
    request = asked(api)
    shown = admin.get(f"/gpu-requests/{request['metadata']['uid']}/what-if").json()
    assert shown["account"]["efficiency"] == {"grantedHours": 20.0, "held": 0.5, "used": 0.25}


def test_the_inbox_is_ones_own(admin, api, member, pool):
    request = asked(member)
    verb(admin, request, "deny", reason="no room")

    (told,) = api.get("/notices?unread=true").json()["items"]
    assert (told["subject"], told["link"], told["readAt"]) == (
        "2 gpu for team: denied",
        f"/gpu/requests/{request['metadata']['uid']}",
        None,
    )
    assert member.post("/notices/read", {"uids": [told["uid"]]}).json() == {"read": 0}
    assert api.post("/notices/read", {"uids": [told["uid"]]}).json() == {"read": 1}
    assert api.get("/notices?unread=true").json()["items"] == []
    assert len(api.get("/notices?unread=false").json()["items"]) == 1
    bound = Api(factories.Actor(factories.User.objects.get(username="alice")), tenant="team")
    assert_problem(bound.get("/notices"), 403, "not-allowed")


def test_lists_take_the_same_reads_however_long(admin, api, pool):
    def reads(path):
        with CaptureQueriesContext(connection) as seen:
            assert api.get(path).status_code == 200
        return len(seen)

    granted(api, admin, amount=1)
    api.put("/tenants/team/clusters/first", {"spec": {"accelerators": [{"class": "gpu", "count": 2}]}})
    paths = ("/gpu-requests", "/gpu-grants", "/tenants/team/clusters", "/tenants/team/gpu-grants")
    before = [reads(path) for path in paths]
    verb(api, api.get("/gpu-requests").json()["items"][0], "withdraw")
    granted(api, admin, amount=1)
    api.put("/tenants/team/clusters/second", {"spec": {"accelerators": [{"class": "gpu", "count": 2}]}})
    assert [reads(path) for path in paths] == before


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
