"""From an event to its receiver: signed, at least once, tried again, given up, and never in each other's way."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from provisioner import messages, wiring
from provisioner.adapters.receivers import Receivers
from provisioner.outcomes import Done, Wait
from tenancy.actions import deliveries, members, webhooks
from tenancy.enums import Role, WorkKind
from tenancy.event_enums import DeliveryState, EventType
from tenancy.models import AuditEvent, Delivery, Event, Notice, Webhook, WorkItem
from tenancy.queries import work as due_work
from tenancy.rules import webhooks as rules
from tests import factories
from tests.support.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _loopback(settings):
    settings.ATOLL_WEBHOOK_ALLOW, settings.ATOLL_WEBHOOK_HTTP = "127.0.0.0/8", True


@pytest.fixture
def alice(db):
    alice = factories.actor("alice")
    factories.tenant("team", owner=alice)
    factories.user("mia")
    deliveries.hand_over()
    return alice


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


def hook(by, url, name="hook", tenant="team", types=(), **wish):
    """A webhook, and its secret."""
    made = webhooks.WebhookWish(url, types, **wish)
    return webhooks.put(by=by, tenant_name=tenant, name=name, wish=made)


def happens(alice, role=Role.MEMBER):
    """One event, handed over."""
    members.put(by=alice, tenant="team", username="mia", role=role)
    deliveries.hand_over()


def passes(name="hook"):
    """A worker's pass over a webhook, as if all it waits for were over."""
    past = timezone.now() - timedelta(seconds=1)
    Webhook.objects.update(not_before=None)
    Delivery.objects.filter(state=DeliveryState.PENDING).update(next_at=past)
    WorkItem.objects.update(due_at=past)
    return wiring.run(WorkKind.WEBHOOK, Webhook.objects.get(name=name).uid)


def test_what_happens_arrives_signed_and_once(alice, receiver):
    _, secret = hook(alice, receiver.url)
    happens(alice)
    deliveries.hand_over()

    assert passes() == Done()
    assert passes() is None

    (request,) = receiver.requests
    body = Verifier(secret).verify(request.body, request.headers)
    event = Event.objects.get(type=EventType.MEMBER_CHANGED, data__object__name="mia")
    assert body == json.loads(request.body)
    assert body["id"] == request.headers["webhook-id"] == f"evt-team-{event.sequence}"
    assert (body["type"], body["tenant"], body["data"]["role"]) == ("member.changed", "team", "member")
    delivery = Delivery.objects.get()
    assert (delivery.state, [one["status"] for one in delivery.attempts]) == ("delivered", [200])


def test_a_changed_body_does_not_verify(alice, receiver):
    _, secret = hook(alice, receiver.url)
    happens(alice)
    passes()
    (request,) = receiver.requests

    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(request.body.replace(b"member", b"owner"), request.headers)


def test_types_choose_and_the_platform_hears_of_every_tenant(alice, receiver):
    hook(alice, receiver.url, "all")
    hook(alice, receiver.url, "some", types=(EventType.CLUSTER_CREATED,))
    hook(alice, receiver.url, "off", enabled=False)
    hook(factories.admin(), receiver.url, "platform", tenant=None)
    happens(alice)
    factories.tenant("other")
    deliveries.hand_over()

    told = {(one.webhook.name, one.message.rpartition("-")[0]) for one in Delivery.objects.all()}

    assert told == {("all", "evt-team"), ("platform", "evt-team"), ("platform", "evt-other")}


def test_a_receiver_that_fails_is_asked_again_and_the_order_told(alice, receiver):
    hook(alice, receiver.url)
    happens(alice)
    receiver.status = 500
    outcome = passes()
    assert isinstance(outcome, Wait)
    assert 3 < outcome.after < 7
    happens(alice, Role.VIEWER)
    assert isinstance(wiring.run(WorkKind.WEBHOOK, Webhook.objects.get().uid), Wait)
    assert len(receiver.requests) == 1  # it is left alone, whatever comes

    receiver.status = 204
    assert passes() == Done()

    assert [one.headers["webhook-id"] for one in receiver.requests] == ["evt-team-3"] * 2 + ["evt-team-4"]
    attempts = Delivery.objects.get(message="evt-team-3").attempts
    assert [(one["status"], one["message"]) for one in attempts] == [(500, "it answered 500"), (204, "")]
    found = Webhook.objects.get()
    assert (found.failures, found.failing_since) == (0, None)


def test_what_is_given_up_can_be_asked_for_again(alice, receiver):
    hook(alice, receiver.url)
    happens(alice)
    receiver.status = 500
    for _ in range(len(rules.AFTER) + 1):
        passes()
    failed = Delivery.objects.get()
    assert (failed.state, failed.next_at, len(failed.attempts)) == ("failed", None, 11)

    receiver.status = 200
    webhooks.redeliver(by=alice, tenant_name="team", name="hook", uid=failed.uid)

    assert passes() == Done()
    assert Delivery.objects.get().state == DeliveryState.DELIVERED
    assert {one.headers["webhook-id"] for one in receiver.requests} == {failed.message}


def test_410_disables_at_once_and_a_test_that_is_taken_brings_it_back(alice, receiver):
    hook(alice, receiver.url)
    receiver.status = 410
    happens(alice)
    passes()

    found = Webhook.objects.get()
    assert found.disabled_at is not None
    assert "410" in found.disabled_reason
    notice = Notice.objects.get(user=alice.user)
    assert (notice.subject, notice.link) == ("Webhook team/hook is disabled", "/tenants/team/webhooks/hook")
    assert Event.objects.filter(tenant="team", type=EventType.WEBHOOK_DISABLED).count() == 1
    happens(alice, Role.OWNER)
    assert passes() is None
    assert len(receiver.requests) == 1

    receiver.status = 200
    webhooks.ping(by=alice, tenant_name="team", name="hook")
    passes()

    found.refresh_from_db()
    assert found.disabled_at is None
    bodies = [json.loads(one.body)["type"] for one in receiver.requests]
    assert bodies == ["member.changed", "ping", "member.changed"]


def test_days_of_failure_disable_it(alice, receiver):
    hook(alice, receiver.url)
    receiver.status = 503
    happens(alice)
    passes()
    assert Webhook.objects.get().disabled_at is None

    Webhook.objects.update(failing_since=timezone.now() - rules.FAILED_FOR)
    passes()

    found = Webhook.objects.get()
    assert found.disabled_at is not None
    assert "3 days" in found.disabled_reason
    assert AuditEvent.objects.filter(action="webhook.disable").count() == 1


def test_after_a_rotation_both_secrets_verify_for_a_day(alice, receiver):
    _, old = hook(alice, receiver.url)
    _, new = webhooks.rotate(by=alice, tenant_name="team", name="hook")
    happens(alice)
    passes()
    Webhook.objects.update(old_secret_until=timezone.now())
    happens(alice, Role.VIEWER)
    passes()

    first, second = receiver.requests
    for secret in (old, new):
        Verifier(secret).verify(first.body, first.headers)
    Verifier(new).verify(second.body, second.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(old).verify(second.body, second.headers)


def test_a_secret_lies_open_nowhere(alice, receiver):
    made, secret = hook(alice, receiver.url)
    webhooks.ping(by=alice, tenant_name="team", name="hook")

    made.refresh_from_db()
    lies = [made.secret, str(list(AuditEvent.objects.values())), str(list(Event.objects.values()))]
    assert [secret.removeprefix("whsec_") in text for text in lies] == [False] * 3


def test_an_address_that_is_not_allowed_any_more_is_not_connected_to(alice, receiver, settings):
    hook(alice, receiver.url)
    happens(alice)
    settings.ATOLL_WEBHOOK_ALLOW = ""

    passes()

    assert receiver.requests == []
    (attempt,) = Delivery.objects.get().attempts
    assert attempt["message"].startswith("refused: it leads to 127.0.0.1")


def test_one_that_does_not_answer_holds_up_no_other(alice, receiver, monkeypatch):
    """Each has a pass of its own, and few workers are at receivers at the same time."""
    monkeypatch.setattr(messages, "Receivers", partial(Receivers, deadline=0.3))
    with Receiver(way="silent") as dead:
        for name in ("dead", "dying", "gone"):
            hook(alice, dead.url, name)
        hook(alice, receiver.url)
        happens(alice)
        due = [item for item in due_work.due(100) if item.kind is WorkKind.WEBHOOK]
        assert len(due) == due_work.SENDERS
        assert isinstance(passes("dead"), Wait)
        assert passes() == Done()
    assert len(receiver.requests) == 1
    assert Delivery.objects.get(webhook__name="dead").attempts[0]["message"] == "it did not answer in time"


def test_what_is_older_than_a_week_is_swept(alice, receiver):
    hook(alice, receiver.url)
    happens(alice)
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=8))
    webhooks.delete(by=alice, tenant_name="team", name="hook")
    hook(alice, receiver.url)
    happens(alice, Role.VIEWER)
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=8))
    deliveries.sweep()

    assert not Delivery.objects.exists()
    assert WorkItem.objects.filter(kind=WorkKind.WEBHOOK).count() == 1


def test_the_schedule_is_a_day_with_jitter():
    bad, busy = rules.Answer(500, "", 1), rules.Answer(429, "", 1, again_after=7200.0)
    waits = [rules.next_try(n, bad, 0.5) for n in range(1, 12)]

    assert waits == [*map(float, rules.AFTER), None]
    assert 20 * 3600 < sum(rules.AFTER) < 26 * 3600
    assert (rules.next_try(1, bad, 0.0), rules.next_try(1, bad, 0.999)) == (4.0, pytest.approx(6, abs=0.01))
    assert rules.next_try(1, busy, 0.5) == 7200.0
    assert rules.next_try(1, rules.Answer(503, "", 1, again_after=1e9), 0.5) == float(rules.LONGEST_WAIT)
