"""Service accounts: what a tenant's own machinery may do, and nobody's sign-in."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate
from django.test import Client

from tenancy.actions import tenants, users
from tenancy.enums import Role
from tenancy.errors import Invalid
from tenancy.models import ApiToken, AuditEvent, Membership, ServiceAccount, User
from tests import factories
from tests.portal.api.client import Api, assert_problem

CI = "/tenants/team/service-accounts/ci"


def speaks(text):
    client = Api()
    client.token = text
    return client


@pytest.fixture
def ci(api):
    """A member of the team that is no person, and its token."""
    assert api.put(CI, {"spec": {"role": "member", "description": "the pipeline"}}).status_code == 201
    return speaks(api.post(f"{CI}/tokens", {"metadata": {"name": "deploy"}}).json()["token"])


def test_what_is_told_of_one(api):
    made = api.put(CI, {"spec": {"role": "member"}}).json()

    assert made["status"] == {
        "observedGeneration": 1,
        "effective": {"role": "member", "description": "", "trust": []},
        "actor": "sa:team/ci",
        "tokens": 0,
        "lastUsedAt": None,
    }
    api.put(CI, {"spec": {"role": "viewer"}})
    assert AuditEvent.objects.get(action="service-account.update").facts["changes"] == {
        "role": {"from": "member", "to": "viewer"}
    }


def test_its_token_works_for_its_tenant_and_is_told_by_name(api, ci):
    assert ci.put("/tenants/team/clusters/first", {"spec": {}}).status_code == 201

    row = AuditEvent.objects.get(action="cluster.create")
    assert (row.actor, row.tenant) == ("sa:team/ci", "team")
    assert ci.get("/me").json()["username"] == "sa:team/ci"
    assert ci.get("/me").json()["tenants"] == [{"tenant": "team", "role": "member"}]
    assert [t["metadata"]["name"] for t in ci.get("/tenants").json()["items"]] == ["team"]
    shown = api.get(CI).json()["status"]
    assert (shown["tokens"], shown["lastUsedAt"] is None) == (1, False)


def test_it_reaches_nothing_else(api, ci, outsider, admin):
    assert_problem(ci.get("/tenants/other"), 404, "not-found")
    assert_problem(ci.put(CI, {"spec": {"role": "owner"}}), 403, "not-allowed")
    assert_problem(ci.put("/tenants/team/members/bob", {"spec": {"role": "owner"}}), 403, "not-allowed")
    assert_problem(outsider.get(CI), 404, "not-found")
    wish = {"metadata": {"name": "x"}, "spec": {"tenant": "other"}}
    assert_problem(api.post(f"{CI}/tokens", wish), 400, "invalid")
    assert_problem(ci.post("/tokens", wish), 404, "not-found")
    made = ci.post("/tokens", {"metadata": {"name": "x"}}).json()
    assert made["spec"]["tenant"] == "team"


def test_its_role_holds_from_the_next_request_on(api, ci):
    api.put(CI, {"spec": {"role": "viewer"}})

    assert_problem(ci.put("/tenants/team/clusters/first", {"spec": {}}), 403, "not-allowed")


def test_it_is_suspended_with_its_tenant(ci):
    tenants.update(by=factories.admin(), name="team", suspended=True)

    assert ci.get("/tenants/team/clusters").status_code == 200
    assert_problem(ci.put("/tenants/team/clusters/first", {"spec": {}}), 403, "not-allowed")
    assert_problem(ci.post("/tokens", {"metadata": {"name": "x"}}), 403, "not-allowed")


def test_it_goes_with_its_tokens_at_once(api, ci):
    assert api.delete(CI).json()["status"]["tokens"] == 1

    assert_problem(ci.get("/me"), 401, "not-authenticated")
    assert_problem(api.get(CI), 404, "not-found")
    assert_problem(api.delete(CI), 404, "not-found")
    assert not User.objects.filter(username="sa:team/ci").exists()
    assert api.put(CI, {"spec": {"role": "member"}}).status_code == 201
    assert_problem(ci.get("/me"), 401, "not-authenticated")


def test_a_deleted_tenant_leaves_none_behind(api, ci, admin):
    assert admin.delete("/tenants/team").status_code == 200

    assert not User.objects.filter(username__startswith="sa:").exists()
    assert_problem(ci.get("/me"), 401, "not-authenticated")


def test_its_tokens_are_listed_rotated_and_revoked(api, ci):
    (listed,) = api.get(f"{CI}/tokens").json()["items"]
    assert (listed["metadata"]["name"], listed["metadata"]["createdBy"]) == ("deploy", "alice")
    uid = listed["metadata"]["uid"]
    rotated = api.post(f"{CI}/tokens/{uid}/rotate", {"overlap": "0s"})

    assert_problem(ci.get("/me"), 401, "not-authenticated")
    again = speaks(rotated.json()["token"])
    assert again.get("/me").json()["username"] == "sa:team/ci"
    assert api.delete(rotated["Location"]).status_code == 200
    assert_problem(again.get("/me"), 401, "not-authenticated")
    assert api.get("/tokens").json()["items"][0]["metadata"]["name"] == "test"


def test_a_token_gives_an_account_no_more_than_it_has(api, alice):
    api.put(CI, {"spec": {"role": "owner"}})
    narrow = Api(alice, scopes=["service-accounts:*", "clusters:read"])
    spec = {"scopes": ["clusters:read"]}

    assert narrow.post(f"{CI}/tokens", {"metadata": {"name": "x"}, "spec": spec}).status_code == 201
    wide = api.post(f"{CI}/tokens", {"metadata": {"name": "wide"}})
    for answer in (
        narrow.post(f"{CI}/tokens", {"metadata": {"name": "x"}, "spec": {"scopes": ["*:*"]}}),
        narrow.post(f"{wide['Location']}/rotate", {}),
    ):
        assert assert_problem(answer, 403, "insufficient-scope")["scope"] == "*:*"


def test_nobody_signs_in_as_one(api, ci):
    user = User.objects.get(username="sa:team/ci")
    user.set_password("correct horse battery")
    user.save()

    assert authenticate(username="sa:team/ci", password="correct horse battery") is None
    page = Client().post("/sign-in", {"username": "sa:team/ci", "password": "correct horse battery"})
    assert page.status_code == 422
    with pytest.raises(Invalid):
        users.create(username="sa:team/x", password="correct horse battery")


def test_it_is_no_member_and_nobody_s_user(api, ci, admin):
    assert not Membership.objects.filter(user__username="sa:team/ci").exists()
    assert_problem(api.put("/tenants/team/members/sa:team", {"spec": {"role": "owner"}}), 400, "invalid")
    assert [m["metadata"]["name"] for m in api.get("/tenants/team/members").json()["items"]] == ["alice"]


@pytest.mark.parametrize(
    ("name", "body", "path"),
    [
        ("Ci", {"spec": {"role": "member"}}, "metadata.name"),
        ("x" * 41, {"spec": {"role": "member"}}, "metadata.name"),
        ("ci", {}, "spec"),
        ("ci", {"spec": {}}, "spec.role"),
        ("ci", {"spec": {"role": "admin"}}, "spec.role"),
        ("ci", {"spec": {"role": "member", "scopes": []}}, "spec.scopes"),
    ],
)
def test_one_that_cannot_be(api, name, body, path):
    problem = assert_problem(api.put(f"/tenants/team/service-accounts/{name}", body), 400, "invalid")

    assert [e["path"] for e in problem["errors"]] == [path]


def test_a_list_costs_the_same_for_one_and_three(api, django_assert_num_queries):
    factories.service_account("a", Role.VIEWER)
    api.get("/me")  # notes the use of the token
    with django_assert_num_queries(4):
        api.get("/tenants/team/service-accounts")
    for name in ("b", "c"):
        factories.service_account(name)
    with django_assert_num_queries(4):
        found = api.get("/tenants/team/service-accounts?role=member").json()["items"]
    assert [(a["metadata"]["name"], a["metadata"]["tenant"]) for a in found] == [("b", "team"), ("c", "team")]
    assert (ServiceAccount.objects.count(), ApiToken.objects.count()) == (3, 1)
