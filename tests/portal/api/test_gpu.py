from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.portal.api.client import assert_problem
from tests.portal.gpu_nodes import BAD, GOOD, PLAIN, TOOLKIT, see


def test_a_nodes_software_its_holes_and_whom_they_concern(admin):
    see(BAD, GOOD, PLAIN)

    body = admin.get("/hosts/lab/gpu-exposure").json()

    assert (body["host"], body["advisories"], body["fault"]) == ("lab", 6, "")
    assert body["reviewed"] >= "2026-11-21"
    assert body["ageDays"] >= 0
    assert body["tenants"] == [
        {
            "tenant": "team",
            "cluster": "first",
            "namespace": "atoll-team-first-0",
            "trust": "untrusted",
            "node": "gpu-1",
            "verdict": "exposed",
            "pods": ["train"],
            "evidence": "1 pods with devices are on the node",
        }
    ]
    bad, good = body["nodes"]
    assert [(n["name"], n["verdict"], n["inForce"]) for n in (bad, good)] == [
        ("gpu-1", "exposed", "exposed"),
        ("gpu-2", "clean", ""),
    ]
    assert bad["upgrade"] == [{"component": "container-toolkit", "to": "1.19.1"}]
    assert bad["why"] == "upgrade container-toolkit to 1.19.1 or later"
    assert bad["findings"][0] == {
        "cve": "CVE-2025-23266",
        "title": "NVIDIAScape: hooks that set containers up run a library of the image as root on the node",
        "severity": "critical",
        "reference": "NVIDIA security bulletin 5659, July 2025",
        "component": "container-toolkit",
        "version": "v1.17.7-ubuntu20.04",
        "fixed": "1.17.8",
    }
    assert bad["stack"][0] == {
        "component": "container-toolkit",
        "found": {"version": TOOLKIT.version, "toldBy": "pod", "detail": TOOLKIT.detail},
    }
    assert [p["found"] for p in bad["stack"][1:]] == [None, None]
    assert (bad["cdi"], good["cdi"], good["notes"], good["findings"]) == (False, None, ["n"], [])


def test_an_admins_own_advisory_counts_at_once(admin, tmp_path, settings):
    see(GOOD)
    assert admin.get("/hosts/lab/gpu-exposure").json()["nodes"][0]["verdict"] == "clean"

    own = tmp_path / "own.json"
    entry = {"cve": "CVE-2027-0001", "title": "t", "severity": "high", "source": "s"}
    affects = [{"component": "container-toolkit", "range": "<1.20.0", "fixed": "1.20.0"}]
    own.write_text(json.dumps({"reviewed": "2027-01-01", "advisories": [{**entry, "affects": affects}]}))
    settings.ATOLL_GPU_ADVISORIES = str(own)

    body = admin.get("/hosts/lab/gpu-exposure").json()
    assert (body["advisories"], body["reviewed"]) == (7, "2027-01-01")
    assert body["nodes"][0]["upgrade"] == [{"component": "container-toolkit", "to": "1.20.0"}]


def test_all_hosts_in_one_list_for_those_who_may(admin, auditor, api):
    see(BAD)
    see(PLAIN, name="other")

    for who in (admin, auditor):
        items = who.get("/gpu-exposure").json()["items"]
        assert [(i["host"], len(i["nodes"]), len(i["tenants"])) for i in items] == [
            ("lab", 1, 1),
            ("other", 0, 0),
        ]
    assert [i["host"] for i in admin.get("/gpu-exposure?name=other").json()["items"]] == ["other"]
    assert api.get("/gpu-exposure").json() == {"items": [], "next": None}
    assert_problem(api.get("/hosts/lab/gpu-exposure"), 404, "not-found")


@pytest.mark.parametrize("hosts", [1, 3])
def test_more_hosts_take_no_more_queries(admin, hosts):
    for number in range(hosts):
        see(BAD, name=f"host-{number}")
    with CaptureQueriesContext(connection) as captured:
        admin.get("/gpu-exposure")
    assert sum('FROM "tenancy_node"' in q["sql"] for q in captured.captured_queries) == 1
