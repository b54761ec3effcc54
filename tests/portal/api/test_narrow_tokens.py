"""What a token of few scopes is told, and what it is not."""

from __future__ import annotations

from tenancy.models import AuditEvent, GrantRequest, VirtualCluster
from tests.portal.api.client import Api, assert_problem


def test_who_asks_for_too_many_devices_needs_the_scope_of_requests(pool, alice):
    first, wish = "/tenants/team/clusters/first", {"spec": {"accelerators": [{"class": "gpu", "count": 2}]}}
    builder = Api(alice, scopes=["clusters:write"])
    for query in ("?dry_run=true", ""):
        refused = assert_problem(builder.put(first + query, wish), 403, "insufficient-scope")
        assert refused["scope"] == "gpu-requests:write"
    assert not VirtualCluster.objects.exists()
    assert not GrantRequest.objects.exists()

    both = Api(alice, scopes=["clusters:write", "gpu-requests:write"])
    assert both.put(first, wish).status_code == 201
    assert GrantRequest.objects.count() == 1
    assert builder.put(f"{first}?dry_run=true", wish).json()["action"] == "none"
    assert builder.put(first, {"spec": {**wish["spec"], "resources": {"cpu": 2}}}).status_code == 200
    assert builder.delete(first).status_code == 202


def test_who_a_narrow_token_speaks_for_is_told_without_their_tenants(api, alice):
    me = Api(alice, scopes=["clusters:*"]).get("/me").json()

    assert (me["username"], me["tenants"]) == ("alice", None)
    assert me["scopes"] == ["clusters:quarantine", "clusters:read", "clusters:write"]


def test_a_refusal_tells_nothing_of_what_is_there(api, alice, outsider):
    api.put("/tenants/team/clusters/first", {"spec": {}})
    narrow = Api(alice, scopes=["members:read"])
    answers = [
        narrow.get(f"/tenants/{t}/clusters/{c}") for t in ("team", "other", "none") for c in ("first", "x")
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.content for answer in answers}) == 1


def test_a_refused_write_is_in_the_log_of_a_tenant_that_may_be_seen(api, alice, outsider):
    narrow = Api(alice, scopes=["members:read"])
    for tenant in ("team", "other"):
        narrow.put(f"/tenants/{tenant}/clusters/first", {"spec": {}})

    rows = AuditEvent.objects.filter(action="denied")
    assert sorted((row.tenant, row.facts["attempted"]) for row in rows) == [
        ("", "putCluster"),
        ("team", "putCluster"),
    ]
