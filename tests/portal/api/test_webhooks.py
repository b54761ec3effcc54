"""Webhooks over the API: made by owners, their secret told once, their deliveries read and asked for again."""

from __future__ import annotations

import base64

import pytest

from tenancy.actions import deliveries, webhooks
from tenancy.models import Delivery, Webhook, WorkItem
from tests import factories
from tests.portal.api.client import Api, assert_problem
from tests.support.address_corpus import REFUSED

pytestmark = pytest.mark.django_db
HOOK = "/tenants/team/webhooks/chat"
SPEC = {"url": "https://93.184.215.14/hook"}


@pytest.fixture
def hook(api):
    return api.put(HOOK, {"spec": SPEC}).json()


def test_the_secret_is_told_once(api, hook):
    again = api.put(HOOK, {"spec": SPEC})

    assert len(base64.b64decode(hook["secret"].removeprefix("whsec_"))) == 32
    assert (again.status_code, "secret" in again.json()) == (200, False)
    for path in (HOOK, "/tenants/team/webhooks", "/tenants/team/audit", "/tenants/team/events"):
        assert hook["secret"] not in api.get(path).content.decode()


def test_a_rotation_tells_the_new_one_and_until_when_the_old_one_signs(api, hook):
    first = api.post(f"{HOOK}/rotate", Idempotency_Key="k")
    replay = api.post(f"{HOOK}/rotate", Idempotency_Key="k")

    assert first.json()["secret"] not in {hook["secret"], ""}
    assert first.json()["oldSecretUntil"] == api.get(HOOK).json()["status"]["oldSecretUntil"]
    assert "secret" not in replay.json()


@pytest.mark.parametrize("url", REFUSED[::8])
def test_an_address_inside_is_refused_with_its_field(api, url):
    body = assert_problem(api.put(HOOK, {"spec": {"url": url}}), 400, "invalid")

    assert body["errors"][0]["path"] == "spec.url"
    assert not Webhook.objects.exists()


def test_a_plan_is_as_strict_and_leaves_nothing(api):
    assert api.put(f"{HOOK}?dry_run=true", {"spec": SPEC}).json()["action"] == "create"
    assert_problem(api.put(f"{HOOK}?dry_run=true", {"spec": {"url": "https://10.0.0.1"}}), 400, "invalid")
    assert not Webhook.objects.exists()


def test_who_may_not_manage_is_told_so_and_nothing_is_looked_up(member, api):
    assert_problem(member.put(HOOK, {"spec": {"url": "https://10.0.0.1"}}), 403, "not-allowed")


def test_a_test_can_be_sent_and_watched(api, hook):
    sent = api.post(f"{HOOK}/ping")

    assert (sent.status_code, sent.json()["type"], sent.json()["state"]) == (202, "ping", "pending")
    assert api.get(sent["Location"]).json() == sent.json()
    assert api.get(f"{HOOK}/deliveries").json()["items"] == [sent.json()]
    assert WorkItem.objects.filter(kind="webhook", object_id=hook["metadata"]["uid"]).exists()
    assert_problem(api.post(f"{HOOK}/ping"), 409, "conflict")


def test_a_delivery_is_asked_for_again(api, hook):
    sent = api.post(f"{HOOK}/ping").json()
    Delivery.objects.update(state="failed", next_at=None)

    again = api.post(f"{HOOK}/deliveries/{sent['id']}/redeliver")

    assert (again.status_code, again.json()["state"], again.json()["event"]) == (
        202,
        "pending",
        sent["event"],
    )
    assert again["Location"].endswith(f"{HOOK}/deliveries/{sent['id']}")


def test_deliveries_are_of_their_webhook_alone(api, hook, outsider):
    sent = api.post(f"{HOOK}/ping").json()
    api.put("/tenants/team/webhooks/other", {"spec": SPEC})

    elsewhere = f"/tenants/team/webhooks/other/deliveries/{sent['id']}"
    assert_problem(api.get(elsewhere), 404, "not-found")
    assert_problem(api.post(f"{elsewhere}/redeliver"), 404, "not-found")
    assert_problem(outsider.get(f"{HOOK}/deliveries/{sent['id']}"), 404, "not-found")


def test_the_platforms_hear_of_every_tenant(admin, api, hook):
    made = admin.put("/webhooks/siem", {"spec": SPEC})
    deliveries.hand_over()
    api.put("/tenants/team/clusters/first", {"spec": {}})
    deliveries.hand_over()

    assert made.status_code == 201
    kinds = {one["type"] for one in admin.get("/webhooks/siem/deliveries").json()["items"]}
    assert "cluster.created" in kinds
    assert_problem(api.get("/webhooks/siem"), 403, "not-allowed")


def test_the_phase_tells_how_the_receiver_does(api, hook):
    Webhook.objects.update(disabled_at="2026-11-01T00:00:00Z", disabled_reason="its receiver answered 410")
    status = api.get(HOOK).json()["status"]
    assert (status["phase"], status["message"]) == ("Disabled", "its receiver answered 410")

    changed = api.put(HOOK, {"spec": {"url": "https://93.184.215.15/hook"}}).json()
    assert changed["status"]["phase"] == "Active"


def test_there_are_not_more_than_can_be_kept(api, alice):
    for number in range(webhooks.MOST):
        wish = webhooks.WebhookWish("https://93.184.215.14/")
        webhooks.put(by=alice, tenant_name="team", name=f"hook-{number}", wish=wish)

    assert_problem(api.put(HOOK, {"spec": SPEC}), 409, "conflict")


def test_a_read_only_token_reads(api, hook, alice):
    reader = Api(alice, read_only=True)
    assert reader.get(HOOK).status_code == 200
    assert_problem(reader.post(f"{HOOK}/ping"), 403, "insufficient-scope")


def test_lists_ask_the_same_number_of_questions(api, hook, alice, django_assert_num_queries):
    def ask():
        with django_assert_num_queries(8, exact=False):
            return len(api.get("/tenants/team/webhooks").json()["items"])

    assert ask() == 1
    for number in range(5):
        api.put(f"/tenants/team/webhooks/hook-{number}", {"spec": SPEC})
    assert ask() == 6
    assert factories.user("zoe")
