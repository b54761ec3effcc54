from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from tenancy.actions import idempotency
from tenancy.models import ApiToken, AuditEvent, IdempotencyRecord, Operation, VirtualCluster
from tests import factories
from tests.portal.api.client import Api, assert_problem

CLUSTERS = "/tenants/team/clusters"
BODY = {"metadata": {"name": "first"}, "spec": {"resources": {"cpu": "2"}}}


def test_the_same_request_gets_the_first_answer_and_has_one_effect(api):
    first = api.post(CLUSTERS, BODY, Idempotency_Key="k1")
    factories.ready(VirtualCluster.objects.get())

    second = api.post(f"{CLUSTERS}/", BODY, Idempotency_Key="k1")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert (first["ETag"], first["Location"]) == (second["ETag"], second["Location"])
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert Operation.objects.count() == 1


def test_spaces_and_order_of_keys_make_no_other_request(api):
    api.post(CLUSTERS, BODY, Idempotency_Key="k1")
    raw = json.dumps(dict(reversed(BODY.items())), indent=3).encode()

    second = api.send("POST", CLUSTERS, raw=raw, Content_Type="application/json", Idempotency_Key="k1")

    assert second["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("change", ["body", "address"])
def test_another_request_with_the_key_is_refused(api, change):
    api.post(CLUSTERS, BODY, Idempotency_Key="k1")
    path = f"{CLUSTERS}/first/retry" if change == "address" else CLUSTERS
    body = {**BODY, "spec": {}} if change == "body" else None

    assert_problem(api.post(path, body, Idempotency_Key="k1"), 422, "idempotency-key-reused")


def test_a_failed_request_leaves_the_key_free(api):
    bad = {**BODY, "spec": {"resources": {"cpu": "lots"}}}
    assert_problem(api.post(CLUSTERS, bad, Idempotency_Key="k1"), 400, "invalid")

    assert api.post(CLUSTERS, BODY, Idempotency_Key="k1").status_code == 201


@pytest.fixture
def later(monkeypatch):
    """Moves the clock by which answers are kept."""
    real = idempotency.timezone.now

    def move(hours):
        clock = SimpleNamespace(now=lambda: real() + timedelta(hours=hours))
        monkeypatch.setattr(idempotency, "timezone", clock)

    return move


@pytest.mark.parametrize("swept", [False, True])
def test_a_key_is_free_again_when_its_life_is_over(api, later, swept):
    first = api.post("/tokens", {"metadata": {"name": "one"}}, Idempotency_Key="k1")
    for hours in (24, 47.9):
        later(hours)
        assert idempotency.sweep() == 0
        again = api.post("/tokens", {"metadata": {"name": "one"}}, Idempotency_Key="k1")
        assert again.json()["metadata"] == first.json()["metadata"]
        assert_problem(
            api.post("/tokens", {"metadata": {"name": "two"}}, Idempotency_Key="k1"),
            422,
            "idempotency-key-reused",
        )

    later(48.1)
    assert not swept or idempotency.sweep() == 1
    other = api.post("/tokens", {"metadata": {"name": "two"}}, Idempotency_Key="k1")

    assert (other.status_code, "Idempotency-Replayed" in other) == (201, False)
    assert ApiToken.objects.filter(name__in=["one", "two"]).count() == 2
    assert IdempotencyRecord.objects.count() == 1


def test_an_effect_that_fails_leaves_what_was_kept(api, later):
    api.post(CLUSTERS, BODY, Idempotency_Key="k1")
    later(48.1)

    assert_problem(api.post(CLUSTERS, BODY, Idempotency_Key="k1"), 409, "already-exists")

    later(1)
    assert api.post(CLUSTERS, BODY, Idempotency_Key="k1")["Idempotency-Replayed"] == "true"


def test_keys_belong_to_people(api, team):
    bob = factories.actor("bob")
    factories.members.put(by=factories.admin(), tenant="team", username="bob", role=factories.Role.MEMBER)
    api.post(CLUSTERS, BODY, Idempotency_Key="k1")

    assert_problem(Api(bob).post(CLUSTERS, BODY, Idempotency_Key="k1"), 409, "already-exists")


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\xe9"])
def test_keys_that_cannot_be_kept_are_refused(api, key):
    body = assert_problem(api.post(CLUSTERS, BODY, Idempotency_Key=key), 400, "invalid")

    assert body["errors"][0]["path"] == "header.Idempotency-Key"


def test_the_text_of_a_token_is_not_kept(api):
    wish = {"metadata": {"name": "ci"}}
    first = api.post("/tokens", wish, Idempotency_Key="k1")
    second = api.post("/tokens", wish, Idempotency_Key="k1")

    assert second.status_code == 201
    assert {**second.json(), "token": first.json()["token"]} == first.json()
    assert "token" not in second.json()
    assert ApiToken.objects.filter(name="ci").count() == 1
    assert first.json()["token"] not in IdempotencyRecord.objects.get().body
    assert first.json()["token"] not in json.dumps(list(AuditEvent.objects.values("facts", "target")))


def test_a_narrower_token_gets_no_answer_of_a_wider_one(api, alice):
    api.post(CLUSTERS, BODY, Idempotency_Key="k1")

    for narrow in ({"scopes": ["clusters:*"]}, {"tenant": "team"}):
        response = Api(alice, **narrow).post(CLUSTERS, BODY, Idempotency_Key="k1")
        assert_problem(response, 422, "idempotency-key-reused")
    reader = Api(alice, read_only=True)
    assert_problem(reader.post(CLUSTERS, BODY, Idempotency_Key="k1"), 403, "insufficient-scope")


def test_who_has_left_gets_no_answer_again(api, admin):
    api.post(CLUSTERS, BODY, Idempotency_Key="k1")
    admin.delete("/tenants/team/members/alice")

    assert_problem(api.post(CLUSTERS, BODY, Idempotency_Key="k1"), 404, "not-found")
