"""Decisions over others by API need a token made for them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tenancy.models import ApiToken, AuditEvent
from tenancy.policy import STEP_UP, Actor
from tests import factories
from tests.portal.api.client import Api, assert_problem

PLAIN = {"metadata": {"name": "plain"}}
DECIDES = {"metadata": {"name": "sharp"}, "spec": {"decides": True}}


@pytest.fixture
def plain(db):
    return Api(factories.admin(), decides=False)


def made(api, spec):
    answer = api.post("/tokens", {"metadata": {"name": "made"}, "spec": spec})
    assert answer.status_code == 201, answer.content
    return answer.json()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/tenants/team", {"spec": {"trust": "trusted"}}),
        ("DELETE", "/tenants/team", None),
        ("PUT", "/hosts/lab", {"spec": {"kubeconfig": "in-cluster"}}),
        ("PUT", "/accelerator-classes/gpu", {"spec": {"resource": "nvidia.com/gpu"}}),
        ("POST", "/tenants/team/clusters/first/quarantine", {"reason": "an inquiry"}),
        ("POST", "/gpu-requests/{request}/approve", {"reason": "fine"}),
        ("POST", "/gpu-requests/{request}/deny", {"reason": "no"}),
    ],
)
def test_a_plain_token_of_an_admin_decides_nothing(pool, alice, plain, method, path, body):
    factories.cluster(alice, "team")
    path = path.format(request=factories.gpu_request(alice).uid)

    problem = assert_problem(plain.send(method, path, body), 403, "step-up-required")

    assert "For decisions" in problem["detail"]
    told = AuditEvent.objects.get(action="denied")
    assert (told.actor, "token made for decisions" in told.facts["reason"]) == ("root", True)


def test_a_plain_token_of_an_admin_still_reads_and_does_what_members_do(team, plain):
    assert plain.get("/tenants/team").status_code == 200
    assert plain.get("/hosts/lab").status_code == 200
    assert plain.put("/tenants/team/clusters/first", {"spec": {}}).status_code == 201


def test_a_token_for_decisions_decides_and_ends_within_twelve_hours(team, admin):
    body = made(admin, {"decides": True})
    token = ApiToken.objects.get(uid=body["metadata"]["uid"])
    assert body["spec"]["decides"]
    assert timedelta(hours=11) < token.expires_at - timezone.now() <= timedelta(hours=12)

    sharp = Api()
    sharp.token = body["token"]
    assert sharp.put("/tenants/team", {"spec": {"trust": "trusted"}}).status_code == 200


def test_a_chain_of_tokens_ends_with_the_first(db, admin):
    first = made(admin, {"decides": True, "expiresAt": (timezone.now() + timedelta(hours=1)).isoformat()})
    sharp = Api()
    sharp.token = first["token"]

    second = made(sharp, {"decides": True})

    assert second["spec"]["expiresAt"] == first["spec"]["expiresAt"]


def test_a_plain_token_makes_none_for_decisions(plain):
    assert_problem(plain.post("/tokens", DECIDES), 403, "step-up-required")
    assert plain.post("/tokens", PLAIN).status_code == 201


def test_who_has_no_decisions_gets_no_token_for_them(api):
    assert_problem(api.post("/tokens", DECIDES), 403, "not-allowed")


@pytest.mark.parametrize("more", [{"tenant": "team"}, {"readOnly": True}])
def test_a_token_for_decisions_is_neither_bound_nor_read_only(team, admin, more):
    wish = {"metadata": {"name": "odd"}, "spec": {"decides": True, **more}}
    problem = assert_problem(admin.post("/tokens", wish), 400, "invalid")
    assert [e["path"] for e in problem["errors"]] == ["spec.decides"]


def test_the_table_holds_what_only_platform_roles_may(db):
    """A step-up for what a tenant's owner does in their own tenant would be a nuisance without a gain."""
    from tenancy.policy import ROLES

    assert STEP_UP & frozenset().union(*ROLES.values()) == frozenset()
    assert Actor(factories.user("x")).decides, "the machine's own command line"
