"""Isolation reports by API: asked for, listed, read, downloaded, verified."""

from __future__ import annotations

import json

import pytest

from command import attest
from tenancy.enums import ClaimResult
from tenancy.models import IsolationReport
from tests import factories
from tests.portal.api.client import Api, assert_problem

PATH = "/tenants/team/clusters/first/reports"


@pytest.fixture
def cluster(api, alice):
    return factories.ready(factories.cluster(alice, "team"))


def test_asking_tells_where_to_look(api, cluster):
    answer = api.post(PATH, {})
    assert answer.status_code == 202
    body = answer.json()
    assert (body["state"], body["verdict"], body["claims"], body["download"]) == ("pending", None, [], None)
    assert answer["Location"] == f"/api/v1{PATH}/{body['uid']}"
    assert api.get(answer["Location"]).json() == body
    assert api.post(PATH, {}).json()["uid"] == body["uid"]


def test_one_that_is_not_made_yet_cannot_be_downloaded(api, cluster):
    where = api.post(PATH, {})["Location"]
    assert_problem(api.get(f"{where}/download"), 409, "conflict")


def test_before_ready_there_is_nothing_to_report(api, alice):
    factories.cluster(alice, "team")
    assert_problem(api.post(PATH, {}), 409, "conflict")


def test_a_report_is_listed_read_downloaded_and_verified(api, cluster):
    made = factories.report(cluster, factories.claim(), factories.claim(ClaimResult.FAILED, "limits"))
    (listed,) = api.get(PATH).json()["items"]
    assert listed["verdict"] is False
    assert [c["result"] for c in listed["claims"]] == ["passed", "failed"]
    download = api.get(listed["download"])
    assert download["Content-Type"] == "application/jose"
    assert download["Cache-Control"] == "no-store"
    keys = Api().get("/attestation/keys")
    report = attest.verify(download.content.decode(), keys.content.decode())
    assert report.statement == json.loads(made.statement)
    assert report.key_id == listed["keyId"]


def test_the_keys_are_public_halves_only(api):
    for key in Api().get("/attestation/keys").json()["keys"]:
        assert key.keys() == {"kty", "crv", "x", "kid", "use", "alg"}


def test_reports_of_others_are_not_there(api, outsider, cluster):
    made = factories.report(cluster)
    for path in (PATH, f"{PATH}/{made.uid}", f"{PATH}/{made.uid}/download"):
        assert_problem(outsider.get(path), 404, "not-found")


def test_a_report_of_another_cluster_is_not_this_ones(api, alice, cluster):
    made = factories.report(cluster)
    factories.cluster(alice, "team", "second")
    assert_problem(api.get(f"/tenants/team/clusters/second/reports/{made.uid}"), 404, "not-found")


def test_the_filter_is_exact(api, cluster):
    factories.report(cluster)
    assert api.get(f"{PATH}?state=pending").json()["items"] == []
    assert IsolationReport.objects.count() == len(api.get(f"{PATH}?state=ready").json()["items"]) == 1
