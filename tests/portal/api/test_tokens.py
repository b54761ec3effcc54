from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tenancy.models import ApiToken
from tests import factories
from tests.portal.api.client import Api, assert_problem


def _with(text):
    client = Api()
    client.token = text
    return client


def test_a_token_is_shown_once_works_and_is_revoked_at_once(api):
    made = api.post("/tokens", {"metadata": {"name": "ci"}, "spec": {"tenant": "team"}})

    assert made.status_code == 201
    body = made.json()
    assert made["Location"] == f"/api/v1/tokens/{body['metadata']['uid']}"
    assert body["spec"] == {"tenant": "team", "readOnly": False, "expiresAt": None}
    text = body.pop("token")
    assert text.startswith(body["status"]["prefix"])
    assert text not in api.get(made["Location"]).content.decode() + api.get("/tokens").content.decode()
    assert not ApiToken.objects.filter(digest=text).exists()

    assert _with(text).get("/me").json()["boundTo"] == "team"
    assert api.delete(made["Location"]).status_code == 200
    assert_problem(_with(text).get("/me"), 401, "not-authenticated")
    assert_problem(api.get(made["Location"]), 404, "not-found")


def test_a_token_ends_when_it_said(api):
    soon = (timezone.now() + timedelta(hours=1)).isoformat()
    text = api.post("/tokens", {"metadata": {"name": "ci"}, "spec": {"expiresAt": soon}}).json()["token"]
    assert _with(text).get("/me").status_code == 200

    ApiToken.objects.filter(name="ci").update(expires_at=timezone.now() - timedelta(seconds=1))

    assert_problem(_with(text).get("/me"), 401, "not-authenticated")


def test_a_read_only_token_only_reads(api, alice):
    reader = Api(alice, read_only=True)

    assert reader.get("/tenants/team").status_code == 200
    assert_problem(reader.put("/tenants/team/clusters/first", {"spec": {}}), 403, "not-allowed")
    assert_problem(reader.post("/tokens", {"metadata": {"name": "wider"}}), 403, "not-allowed")


def test_a_bound_token_reaches_one_tenant(api, alice):
    factories.tenant("second", owner=alice)
    bound = Api(alice, tenant="team")

    assert [t["metadata"]["name"] for t in bound.get("/tenants").json()["items"]] == ["team"]
    assert_problem(bound.get("/tenants/second"), 404, "not-found")
    assert_problem(bound.post("/tokens", {"metadata": {"name": "wider"}}), 403, "not-allowed")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "metadata"),
        ({"metadata": {}}, "metadata.name"),
        ({"metadata": {"name": ""}}, "metadata.name"),
        ({"metadata": {"name": "x" * 61}}, "metadata.name"),
        ({"metadata": {"name": "x"}, "spec": {"expiresAt": "2001-01-01T00:00:00Z"}}, "spec.expiresAt"),
        ({"metadata": {"name": "x"}, "spec": {"expiresAt": "soon"}}, "spec.expiresAt"),
        ({"metadata": {"name": "x"}, "spec": {"scopes": []}}, "spec.scopes"),
    ],
)
def test_a_token_that_cannot_be(api, body, path):
    problem = assert_problem(api.post("/tokens", body), 400, "invalid")

    assert [e["path"] for e in problem["errors"]] == [path]


def test_a_token_for_a_foreign_tenant_is_not_made(api, outsider):
    assert_problem(
        api.post("/tokens", {"metadata": {"name": "x"}, "spec": {"tenant": "other"}}), 404, "not-found"
    )


def test_tokens_of_others_do_not_exist(api, outsider):
    uid = outsider.get("/tokens").json()["items"][0]["metadata"]["uid"]

    assert_problem(api.get(f"/tokens/{uid}"), 404, "not-found")
    assert_problem(api.delete(f"/tokens/{uid}"), 404, "not-found")
    assert outsider.get("/me").status_code == 200


def test_me(api, admin):
    assert api.get("/me").json() == {
        "username": "alice",
        "platformRole": None,
        "readOnly": False,
        "boundTo": None,
        "tenants": [{"tenant": "team", "role": "owner"}],
    }
    assert admin.get("/me").json()["platformRole"] == "admin"


def test_last_use_is_noted(api):
    uid = api.get("/tokens").json()["items"][0]["metadata"]["uid"]

    assert api.get(f"/tokens/{uid}").json()["status"]["lastUsedAt"] is not None
