from __future__ import annotations

import pytest

from tenancy.actions import tenants
from tenancy.models import AuditEvent, Membership, Tenant
from tests import factories
from tests.portal.api.client import Api, assert_problem


def test_an_admin_makes_reads_changes_and_removes_a_tenant(admin):
    made = admin.put("/tenants/blue", {"spec": {"displayName": "Blue", "trust": "trusted"}})

    assert (made.status_code, made["Location"]) == (201, "/api/v1/tenants/blue")
    body = made.json()
    assert body["metadata"]["name"] == "blue"
    effective = {"displayName": "Blue", "trust": "trusted", "suspended": False}
    assert body["spec"] == {"displayName": "Blue", "trust": "trusted"}
    assert body["status"] == {"observedGeneration": 1, "effective": effective, "phase": "Active"}

    assert admin.put("/tenants/blue", body).status_code == 200
    changed = admin.put("/tenants/blue", {"spec": {"suspended": True}})
    assert changed.status_code == 200
    effective = {"displayName": "", "trust": "untrusted", "suspended": True}
    assert changed.json()["spec"] == {"suspended": True}
    assert changed.json()["status"] == {
        "observedGeneration": 2,
        "effective": effective,
        "phase": "Suspended",
    }
    assert changed["ETag"] != made["ETag"]
    assert admin.get("/tenants/blue").json() == changed.json()

    assert admin.delete("/tenants/blue").json() == changed.json()
    assert_problem(admin.get("/tenants/blue"), 404, "not-found")
    assert [e.action for e in AuditEvent.objects.filter(tenant="blue").order_by("id")] == [
        "tenant.create",
        "tenant.update",
        "tenant.delete",
    ]


def test_preconditions_hold_for_tenants_too(admin):
    tag = admin.put("/tenants/blue", {"spec": {}}, If_None_Match="*")["ETag"]

    assert_problem(admin.put("/tenants/blue", {"spec": {}}, If_None_Match="*"), 412, "precondition-failed")
    assert admin.put("/tenants/blue", {"spec": {"displayName": "B"}}, If_Match=tag).status_code == 200
    assert_problem(admin.put("/tenants/blue", {"spec": {}}, If_Match=tag), 412, "precondition-failed")
    assert Tenant.objects.get().display_name == "B"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"spec": {"trust": "total"}}, "spec.trust"),
        ({"spec": {"suspended": "yes"}}, "spec.suspended"),
        ({"spec": {"displayName": "x" * 101}}, "spec.displayName"),
        ({"spec": {"colour": "blue"}}, "spec.colour"),
        ({"spec": {}, "metadata": {"name": "red"}}, "metadata.name"),
        ({}, "spec"),
    ],
)
def test_a_tenant_that_cannot_be(admin, body, path):
    problem = assert_problem(admin.put("/tenants/blue", body), 400, "invalid")

    assert [e["path"] for e in problem["errors"]] == [path]


def test_a_tenant_with_clusters_stays(admin, api):
    api.put("/tenants/team/clusters/first", {"spec": {}})

    assert_problem(admin.delete("/tenants/team"), 409, "in-use")


def test_people_see_their_tenants_only(api, outsider, admin):
    def names(who):
        return [item["metadata"]["name"] for item in who.get("/tenants").json()["items"]]

    assert (names(api), names(outsider), names(admin)) == (["team"], ["other"], ["other", "team"])
    assert [i["metadata"]["name"] for i in admin.get("/tenants?name=other").json()["items"]] == ["other"]


def test_an_owner_decides_who_belongs(api):
    factories.user("bea")
    made = api.put("/tenants/team/members/bea", {"spec": {"role": "viewer"}})

    assert (made.status_code, made["Location"]) == (201, "/api/v1/tenants/team/members/bea")
    assert made.json()["metadata"].items() >= {"name": "bea", "tenant": "team", "generation": 1}.items()
    assert made.json()["spec"] == {"role": "viewer"}
    assert api.put("/tenants/team/members/bea", made.json()).status_code == 200
    assert api.put("/tenants/team/members/bea", {"spec": {"role": "member"}}).status_code == 200
    assert api.get("/tenants/team/members/bea").json()["spec"] == {"role": "member"}
    listed = api.get("/tenants/team/members?role=member").json()["items"]
    assert [m["metadata"]["name"] for m in listed] == ["bea"]

    assert api.delete("/tenants/team/members/bea").json()["spec"] == {"role": "member"}
    assert_problem(api.get("/tenants/team/members/bea"), 404, "not-found")
    assert_problem(api.delete("/tenants/team/members/bea"), 404, "not-found")


def test_the_last_owner_stays(api):
    assert_problem(api.delete("/tenants/team/members/alice"), 409, "conflict")
    assert_problem(api.put("/tenants/team/members/alice", {"spec": {"role": "viewer"}}), 409, "conflict")


def test_nobody_unknown_becomes_a_member(api):
    body = assert_problem(
        api.put("/tenants/team/members/nobody", {"spec": {"role": "viewer"}}), 400, "invalid"
    )

    assert body["errors"][0]["code"] == "unknown-user"


def test_members_that_leave_lose_everything_at_once(api, alice):
    bea = factories.actor("bea")
    api.put("/tenants/team/members/bea", {"spec": {"role": "owner"}})
    beas = Api(bea)
    assert beas.get("/tenants/team").status_code == 200

    beas.delete("/tenants/team/members/bea")

    assert_problem(beas.get("/tenants/team"), 404, "not-found")
    assert Membership.objects.count() == 1


@pytest.mark.parametrize("path", ["/tenants", "/tenants/team/members"])
def test_lists_cost_the_same_for_one_and_three(admin, team, path):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def cost():
        with CaptureQueriesContext(connection) as seen:
            count = len(admin.get(path).json()["items"])
        return count, len(seen.captured_queries)

    admin.get(path)
    (few, cheap) = cost()
    for _ in range(2):
        admin.put(f"/tenants/team/members/{factories.user().username}", {"spec": {"role": "viewer"}})
        factories.tenant()

    assert cost() == (few + 2, cheap)


def test_what_was_changed_elsewhere_shows_in_the_spec(admin):
    admin.put("/tenants/blue", {"spec": {"displayName": "Blue"}})
    tenants.update(by=factories.admin(), name="blue", suspended=True)

    body = admin.get("/tenants/blue").json()

    assert body["spec"] == {"displayName": "Blue", "suspended": True}
    assert body["metadata"]["generation"] == 2
    assert admin.put("/tenants/blue", {"spec": {"displayName": "Blue"}}).json()["spec"] == {
        "displayName": "Blue"
    }
    assert not Tenant.objects.get().suspended


def test_other_words_for_the_same_are_another_generation_and_told(admin):
    made = admin.put("/tenants/blue", {"spec": {}})

    changed = admin.put("/tenants/blue", {"spec": {"trust": "untrusted"}})

    assert changed.json()["spec"] == {"trust": "untrusted"}
    assert changed["ETag"] != made["ETag"]
    told = AuditEvent.objects.get(action="spec.respell")
    assert (told.target, told.tenant) == ("tenants/blue", "blue")
    assert told.facts["changes"] == {"spec.trust": {"from": None, "to": "untrusted"}}
