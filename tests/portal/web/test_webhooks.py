from __future__ import annotations

from tenancy.actions import deliveries
from tenancy.event_enums import DeliveryState
from tenancy.models import Delivery, Webhook
from tests.portal.web.conftest import World, shown

HOOKS = "/tenants/team/webhooks"
WISH = {"name": "chat", "url": "https://93.184.215.14/in", "enabled": "on"}


def test_an_owner_makes_one_and_sees_its_secret_once(world: World) -> None:
    client = world.client("alice")

    made = client.post(HOOKS, {**WISH, "types": ["cluster.created", "cluster.deleted"]})

    assert (made.status_code, "whsec_" in shown(made)) == (201, True)
    said = shown(client.get(HOOKS))
    assert ("whsec_" in said, "cluster.created, cluster.deleted" in said) == (False, True)
    assert "Webhooks" in shown(client.get("/tenants/team"))


def test_an_address_inside_is_told_beside_the_field(world: World) -> None:
    response = world.client("alice").post(HOOKS, {**WISH, "url": "https://127.1/"})

    assert response.status_code == 422
    assert "It leads to 127.0.0.1, this machine's own address" in shown(response)
    assert not Webhook.objects.exists()


def test_a_name_that_is_taken_changes_nothing(world: World) -> None:
    client = world.client("alice")
    client.post(HOOKS, WISH)

    again = client.post(HOOKS, {**WISH, "url": "https://93.184.215.15/"})

    assert (again.status_code, Webhook.objects.get().url) == (422, WISH["url"])


def test_it_is_changed_rotated_and_deleted(world: World) -> None:
    client = world.client("alice")
    client.post(HOOKS, WISH)

    assert client.post(f"{HOOKS}/chat", {"url": "https://93.184.215.15/"})["Location"] == f"{HOOKS}/chat"
    assert "Off" in shown(client.get(f"{HOOKS}/chat"))
    assert "whsec_" in shown(client.post(f"{HOOKS}/chat/rotate"))
    assert client.post(f"{HOOKS}/chat/delete")["Location"] == HOOKS
    assert not Webhook.objects.exists()


def test_what_was_sent_is_shown_and_sent_again(world: World) -> None:
    client = world.client("alice")
    client.post(HOOKS, WISH)
    client.post(f"{HOOKS}/chat/ping")
    attempt = {"at": "2026-11-21T12:00:00Z", "status": 500, "milliseconds": 12, "message": "it answered 500"}
    Delivery.objects.update(state=DeliveryState.FAILED, next_at=None, attempts=[attempt])

    said = shown(client.get(f"{HOOKS}/chat"))
    assert ("Given up" in said, "it answered 500" in said, "Send again" in said) == (True, True, True)

    uid = Delivery.objects.get().uid
    client.post(f"{HOOKS}/chat/deliveries/{uid}/redeliver")
    assert Delivery.objects.get().state == DeliveryState.PENDING


def test_a_disabled_one_says_why_and_what_to_do(world: World) -> None:
    client = world.client("alice")
    client.post(HOOKS, WISH)
    Webhook.objects.update(disabled_at="2026-11-01T00:00:00Z", disabled_reason="its receiver answered 410")

    said = shown(client.get(f"{HOOKS}/chat"))

    assert "its receiver answered 410" in said
    assert "send it a test" in said


def test_the_platforms_are_kept_by_admins(world: World) -> None:
    client = world.client("root")
    assert client.post("/webhooks", {**WISH, "name": "siem"}).status_code == 201
    deliveries.hand_over()

    assert "siem" in shown(client.get("/webhooks"))
    assert "What was sent" in shown(client.get("/webhooks/siem"))
