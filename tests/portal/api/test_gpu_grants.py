"""Grants, what clusters have of them, and what was used; receipts and notices."""

from __future__ import annotations

import json
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from command import attest
from tenancy.actions import grants
from tenancy.models import (
    AcceleratorClass,
    Allocation,
    DeviceUsage,
    Tenant,
    VirtualCluster,
)
from tenancy.queries import calendar
from tenancy.rules import attestation
from tests import factories
from tests.portal.api.client import Api, assert_problem
from tests.portal.api.gpu import asked, day, granted, verb


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
    keys = api.get("/attestation/keys").content.decode()
    assert attest.verify(answer.content.decode(), keys).kind == attest.RECEIPT


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
    assert (more["lacking"], more["approval"], more["fits"]) == (1, "admin", True)
    assert more["message"] == (
        "3 gpu: 1 more than is granted, so an admin is asked, and the cluster waits as AwaitingApproval"
        " until then; 2 are free"
    )
    more = plan(9)
    assert (more["lacking"], more["approval"], more["fits"]) == (7, "admin", False)
    assert "2 of 4 devices of pool 'gpus' are free" in more["message"]
    factories.accelerator(auto_approve_up_to=9)
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
