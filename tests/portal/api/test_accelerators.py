"""Catalogue, stock and limits of accelerators as admins write them and others read them."""

from __future__ import annotations

import pytest

from tenancy.models import (
    PoolBalance,
)
from tests import factories
from tests.portal.api.client import assert_problem
from tests.portal.api.gpu import asked, granted, verb

H100 = {"spec": {"resource": "nvidia.com/gpu", "title": "H100", "autoApproveUpTo": 1, "graceSeconds": 60}}


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
    read = api.get("/accelerator-classes/h100").json()
    assert (read["spec"], read["status"]["effective"]) == (H100["spec"], spec)
    again = admin.put("/accelerator-classes/h100", made.json(), If_Match=made["ETag"])
    assert (again.status_code, again["ETag"]) == (200, made["ETag"])
    assert_problem(
        admin.put("/accelerator-classes/h100", H100, If_None_Match="*"), 412, "precondition-failed"
    )
    assert [c["metadata"]["name"] for c in api.get("/accelerator-classes?offered=true").json()["items"]] == [
        "h100"
    ]
    assert api.get("/accelerator-classes?offered=false").json()["items"] == []
    assert admin.delete("/accelerator-classes/h100").json()["status"]["effective"] == spec
    assert_problem(api.get("/accelerator-classes/h100"), 404, "not-found")


@pytest.mark.parametrize("field", ["accelerators", "reserved"])
def test_a_class_that_only_a_pool_names_stays(admin, team, field):
    admin.put("/accelerator-classes/h100", H100)
    spec = {"accelerators": ["h100"]} if field == "accelerators" else {"reserved": {"h100": 1}}
    admin.put("/hosts/lab/pools/gpus", {"spec": spec})

    body = assert_problem(admin.delete("/accelerator-classes/h100"), 409, "in-use")
    assert (body["usedBy"], "take it out" in body["detail"]) == (["pool lab/gpus"], True)

    admin.put("/hosts/lab/pools/gpus", {"spec": {}})
    assert admin.delete("/accelerator-classes/h100").status_code == 200


def test_a_class_that_only_a_template_names_stays(admin, team):
    admin.put("/accelerator-classes/h100", H100)
    factories.published("1.0.0", {"accelerators": [{"class": "h100", "count": 1}]})

    body = assert_problem(admin.delete("/accelerator-classes/h100"), 409, "in-use")

    assert body["usedBy"] == ["template web 1.0.0"]


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
    assert "return them early" in assert_problem(changed, 409, "in-use")["detail"]
    assert_problem(admin.delete("/hosts/lab/pools/gpus"), 409, "in-use")


def test_a_limit_holds(admin, api, pool):
    made = admin.put("/tenants/team/accelerator-limits/gpu", {"spec": {"amount": 1}})
    assert (made.status_code, made["Location"]) == (201, "/api/v1/tenants/team/accelerator-limits/gpu")
    limit = made.json()
    assert limit["metadata"].items() >= {"class": "gpu", "tenant": "team", "generation": 1}.items()
    assert limit["spec"] == {"amount": 1}
    assert api.get("/tenants/team/accelerator-limits").json() == {"items": [limit], "next": None}
    body = assert_problem(verb(admin, asked(api), "approve", reason="fine"), 409, "does-not-fit")
    assert "limit is 1" in body["detail"]
    assert admin.delete("/tenants/team/accelerator-limits/gpu").json() == limit
    assert_problem(api.get("/tenants/team/accelerator-limits/gpu"), 404, "not-found")
