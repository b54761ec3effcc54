from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from portal.api.views import kubeconfigs
from tenancy.models import AccessRequest, ApiToken, AuditEvent
from tenancy.token_enums import Scope
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
    assert body["spec"] == {
        "tenant": "team",
        "scopes": None,
        "readOnly": False,
        "expiresAt": None,
        "decides": False,
    }
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
    assert_problem(reader.put("/tenants/team/clusters/first", {"spec": {}}), 403, "insufficient-scope")
    assert_problem(reader.post("/tokens", {"metadata": {"name": "wider"}}), 403, "insufficient-scope")


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
        ({"metadata": {"name": "x"}, "spec": {"scopes": "*:read"}}, "spec.scopes"),
        ({"metadata": {"name": "x"}, "spec": {"scopes": ["clusters:fly"]}}, "spec.scopes[0]"),
        (
            {"metadata": {"name": "x"}, "spec": {"scopes": ["clusters:write"], "readOnly": True}},
            "spec.scopes",
        ),
    ],
)
def test_a_token_that_cannot_be(api, body, path):
    problem = assert_problem(api.post("/tokens", body), 400, "invalid")

    assert [e["path"] for e in problem["errors"]] == [path]


def test_a_token_for_a_foreign_tenant_is_not_made(api, outsider):
    assert_problem(
        api.post("/tokens", {"metadata": {"name": "x"}, "spec": {"tenant": "other"}}), 404, "not-found"
    )


def test_only_the_token_that_was_read_is_revoked(api):
    made = api.post("/tokens", {"metadata": {"name": "ci"}})
    read = api.get(made["Location"])

    assert_problem(api.delete(made["Location"], If_Match='"x"'), 412, "precondition-failed")
    assert api.get(made["Location"]).status_code == 200
    assert api.delete(f"{made['Location']}?wait=30s", If_Match=read["ETag"]).json() == read.json()
    assert_problem(api.delete(made["Location"]), 404, "not-found")


def test_tokens_of_others_do_not_exist(api, outsider):
    uid = outsider.get("/tokens").json()["items"][0]["metadata"]["uid"]

    assert_problem(api.get(f"/tokens/{uid}"), 404, "not-found")
    assert_problem(api.delete(f"/tokens/{uid}"), 404, "not-found")
    assert outsider.get("/me").status_code == 200


def test_me(api, admin):
    found = api.get("/me").json()
    assert found.pop("scopes") == sorted(Scope)
    assert found == {
        "username": "alice",
        "platformRole": None,
        "readOnly": False,
        "decides": False,
        "boundTo": None,
        "expiresAt": None,
        "tenants": [{"tenant": "team", "role": "owner"}],
    }
    assert admin.get("/me").json()["platformRole"] == "admin"


def test_last_use_is_noted(api):
    uid = api.get("/tokens").json()["items"][0]["metadata"]["uid"]

    assert api.get(f"/tokens/{uid}").json()["status"]["lastUsedAt"] is not None


def _named(scopes, **more):
    return {"metadata": {"name": "x"}, "spec": {"scopes": scopes, **more}}


def test_scopes_come_back_as_written_and_status_tells_what_they_come_to(api):
    made = api.post("/tokens", _named(["*:read", "clusters:*"], readOnly=True)).json()

    assert made["spec"]["scopes"] == ["*:read", "clusters:*"]
    assert made["status"]["scopes"] == [s for s in sorted(Scope) if s.endswith(":read")]


@pytest.mark.parametrize(
    ("mine", "wanted", "lacking"),
    [
        (["tokens:write", "clusters:read"], ["clusters:read"], None),
        (["tokens:*", "*:read"], ["hosts:read", "*:read", "tokens:rotate"], None),
        (["tokens:write", "clusters:read"], ["clusters:read", "clusters:write"], "clusters:write"),
        (["tokens:write", *[s for s in Scope if s.endswith(":read")]], ["*:read"], "*:read"),
        (["tokens:write"], ["*:*"], "*:*"),
    ],
)
def test_a_token_makes_none_with_other_scopes(team, alice, mine, wanted, lacking):
    answer = Api(alice, scopes=mine).post("/tokens", _named(wanted))

    if lacking is None:
        assert answer.status_code == 201
    else:
        assert assert_problem(answer, 403, "insufficient-scope")["scope"] == lacking


def test_a_token_makes_none_that_lives_longer(team, alice, api):
    end = timezone.now() + timedelta(hours=1)
    short = Api(alice, expires_at=end)

    later = _named(None, expiresAt=(end + timedelta(seconds=2)).isoformat())
    assert (
        assert_problem(short.post("/tokens", later), 400, "invalid")["errors"][0]["path"] == "spec.expiresAt"
    )
    assert api.post("/tokens", later).status_code == 201
    made = short.post("/tokens", _named(None)).json()
    assert made["spec"]["expiresAt"] == short.get("/me").json()["expiresAt"]


def test_no_token_lives_longer_than_the_setting_says(api, settings):
    settings.ATOLL_TOKEN_DAYS = 30
    text = (timezone.now() + timedelta(days=31)).isoformat()
    problem = assert_problem(api.post("/tokens", _named(None, expiresAt=text)), 400, "invalid")
    assert "30 days from now" in problem["errors"][0]["detail"]
    until = datetime.fromisoformat(api.post("/tokens", _named(None)).json()["spec"]["expiresAt"])
    assert abs(until - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


def test_a_rotated_token_lives_for_the_overlap(api):
    soon = (timezone.now() + timedelta(days=10)).isoformat()
    old = api.post("/tokens", _named(["clusters:read"], tenant="team", expiresAt=soon)).json()
    address = f"/tokens/{old['metadata']['uid']}"
    answer = api.post(f"{address}/rotate", {"overlap": "2m"})

    assert answer.status_code == 201
    new = answer.json()
    assert answer["Location"] == f"/api/v1/tokens/{new['metadata']['uid']}"
    assert new["metadata"]["name"] == "x"
    assert {**new["spec"], "expiresAt": 0} == {**old["spec"], "expiresAt": 0}
    assert {_with(one["token"]).get("/me").status_code for one in (old, new)} == {200}
    shown = api.get(address).json()
    assert shown["status"]["successor"] == new["metadata"]["uid"]
    left = datetime.fromisoformat(shown["spec"]["expiresAt"]) - timezone.now()
    assert timedelta(seconds=60) < left <= timedelta(minutes=2)
    row = AuditEvent.objects.get(action="token.rotate")
    assert (row.actor, row.tenant, row.facts["successor"]) == ("alice", "team", new["metadata"]["uid"])

    ApiToken.objects.filter(pk=old["metadata"]["uid"]).update(expires_at=timezone.now())
    assert_problem(_with(old["token"]).get("/me"), 401, "not-authenticated")
    assert _with(new["token"]).get("/me").status_code == 200


def test_without_overlap_the_old_text_is_dead_at_once(api):
    old = api.post("/tokens", {"metadata": {"name": "x"}}).json()
    new = api.post(f"/tokens/{old['metadata']['uid']}/rotate", {"overlap": "0s"}).json()

    assert_problem(_with(old["token"]).get("/me"), 401, "not-authenticated")
    assert new["spec"]["expiresAt"] is None


def test_a_rotation_is_done_once_and_its_text_is_not_replayed(api):
    old = api.post("/tokens", {"metadata": {"name": "x"}}).json()
    address = f"/tokens/{old['metadata']['uid']}/rotate"
    first, again = (api.post(address, {}, Idempotency_Key="k") for _ in range(2))

    assert again["Idempotency-Replayed"] == "true"
    assert first.json() == {**again.json(), "token": first.json()["token"]}
    assert "token" not in again.json()
    assert_problem(api.post(address, {}), 409, "conflict")
    problem = assert_problem(api.post(address, {"overlap": "169h"}), 400, "invalid")
    assert problem["errors"][0]["path"] == "overlap"


def test_a_token_rotates_itself_and_gains_nothing_by_rotating_others(team, alice):
    end = timezone.now() + timedelta(hours=1)
    narrow = Api(alice, scopes=["tokens:rotate", "tokens:read", "clusters:read"], expires_at=end)
    wide, own = (t["metadata"]["uid"] for t in _both(narrow, alice))

    assert (
        assert_problem(narrow.post(f"/tokens/{wide}/rotate", {}), 403, "insufficient-scope")["scope"] == "*:*"
    )
    made = narrow.post(f"/tokens/{own}/rotate", {"overlap": "1h"}).json()
    assert datetime.fromisoformat(made["spec"]["expiresAt"]) == end
    late = {"expiresAt": (end + timedelta(hours=1)).isoformat()}
    problem = assert_problem(
        _with(made["token"]).post(f"/tokens/{made['metadata']['uid']}/rotate", late), 400, "invalid"
    )
    assert problem["errors"][0]["code"] == "too-late"


def _both(narrow, alice):
    """A token of alice that reaches everything, and the narrow one itself."""
    factories.token(alice)
    found = narrow.get("/tokens").json()["items"]
    return sorted(found, key=lambda t: t["spec"]["scopes"] is not None)


def test_a_kubeconfig_by_a_read_only_token_can_only_look(api, alice, monkeypatch):
    monkeypatch.setattr(kubeconfigs, "PATIENCE", 0.0)
    factories.ready(factories.cluster(alice, "team"))
    Api(alice, read_only=True).post("/tenants/team/clusters/first/kubeconfig", {})
    Api(alice, scopes=["kubeconfigs:create"]).post("/tenants/team/clusters/first/kubeconfig", {})

    assert list(AccessRequest.objects.order_by("created_at").values_list("role", flat=True)) == [
        "viewer",
        "owner",
    ]
