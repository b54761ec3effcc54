"""From an event to its receiver: signed, at least once, tried again, given up, and never in each other's way."""

from __future__ import annotations

import json
import threading
import time
import uuid
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.utils import timezone
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from provisioner import messages
from provisioner.adapters.receivers import Receivers
from provisioner.reconcile import sending
from provisioner.reconcile.sending import Sender
from tenancy.actions import deliveries, members, webhooks, work
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
    """A sender's pass that begins with a webhook, as if all it waits for were over; how much it sent."""
    past = timezone.now() - timedelta(seconds=1)
    Webhook.objects.update(not_before=None)
    Delivery.objects.filter(state=DeliveryState.PENDING).update(next_at=past)
    WorkItem.objects.update(due_at=past)
    return messages.deliver(Webhook.objects.get(name=name).uid)


def sending_alone(name):
    """The same in a thread, which leaves no connection behind."""
    try:
        passes(name)
    finally:
        connection.close()


def until(holds):
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_happens_arrives_signed_and_once(alice, receiver):
    _, secret = hook(alice, receiver.url)
    happens(alice)
    deliveries.hand_over()

    assert passes() == 1
    assert passes() == 0

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
    assert passes() == 1
    item = WorkItem.objects.get(kind=WorkKind.WEBHOOK)
    assert timedelta(seconds=3) < item.due_at - timezone.now() < timedelta(seconds=7)
    assert item.lease is None
    happens(alice, Role.VIEWER)
    assert messages.deliver(Webhook.objects.get().uid) == 0
    assert len(receiver.requests) == 1  # it is left alone, whatever comes

    receiver.status = 204
    assert passes() == 2

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

    assert passes() == 1
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
    assert passes() == 0
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


def test_many_that_do_not_answer_hold_up_no_other(alice, receiver, monkeypatch):
    """They are waited for beside each other, and what comes meanwhile is sent meanwhile."""
    monkeypatch.setattr(messages, "Receivers", partial(Receivers, deadline=1.5))
    hook(factories.admin(), receiver.url, "well", tenant=None, types=(EventType.TENANT_CREATED,))
    with Receiver(way="silent") as dead:
        for number in range(webhooks.MOST):
            hook(alice, dead.url, f"dead{number}")
        happens(alice)
        at_work = threading.Thread(target=sending_alone, args=("dead0",))
        at_work.start()
        until(lambda: len(dead.requests) == webhooks.MOST)
        factories.tenant("other")
        deliveries.hand_over()
        assert [one for one in due_work.due(100) if one.kind is WorkKind.WEBHOOK] == []  # one sender does
        until(lambda: len(receiver.requests) == 1)
        assert at_work.is_alive()  # the dead ones have not even failed yet
        at_work.join()
    told = {one.attempts[0]["message"] for one in Delivery.objects.exclude(webhook__name="well")}
    assert told == {"it did not answer in time"}
    assert not WorkItem.objects.filter(kind=WorkKind.WEBHOOK, lease__isnull=False).exists()


def test_more_that_begin_to_hang_than_there_is_room_hold_up_others_for_a_moment(alice, receiver, monkeypatch):
    monkeypatch.setattr(sending, "PATIENCE", 0.3)
    monkeypatch.setattr(sending, "Sender", partial(Sender, room=2, threads=8))
    hook(factories.admin(), receiver.url, "well", tenant=None, types=(EventType.TENANT_CREATED,))
    with Receiver(way="silent") as dead:
        for number in range(4):
            hook(alice, dead.url, f"dead{number}")
        happens(alice)
        at_work = threading.Thread(target=sending_alone, args=("dead0",))
        at_work.start()
        until(lambda: len(dead.requests) == 4)
        factories.tenant("other")
        deliveries.hand_over()
        until(lambda: len(receiver.requests) == 1)
        assert at_work.is_alive()
        hanging = Delivery.objects.exclude(webhook__name="well")
        assert [one.attempts for one in hanging] == [[]] * 4
    at_work.join()


def test_what_a_sender_leaves_wakes_a_second_one_and_no_third(alice, receiver):
    for name in ("first", "second", "third", "fourth"):
        hook(alice, receiver.url, name)
    happens(alice)
    long_ago = timezone.now() - 2 * due_work.UNTAKEN
    WorkItem.objects.update(due_at=long_ago)

    def woken():
        """Rings as the relay does."""
        found = [one for one in due_work.due(100) if one.kind is WorkKind.WEBHOOK]
        work.ring(found, timezone.now())
        return found

    (first,) = woken()
    (second,) = woken()
    assert woken() == []
    token = uuid.uuid4()
    assert work.claim(WorkKind.WEBHOOK, first.object_id, token=token)
    assert work.claim(WorkKind.WEBHOOK, second.object_id, token=token)  # one sender is at both
    (third,) = woken()
    assert work.claim(WorkKind.WEBHOOK, third.object_id)
    assert woken() == []


def test_a_sender_that_was_called_too_late_does_nothing(alice, receiver):
    made, _ = hook(alice, receiver.url)
    hook(alice, receiver.url, "other")
    happens(alice)
    work.claim(WorkKind.WEBHOOK, made.uid)

    assert messages.deliver(made.uid) == 0
    assert receiver.requests == []


def test_a_secret_that_cannot_be_read_is_its_webhooks_trouble_alone(alice, receiver, caplog):
    hook(alice, receiver.url, "broken")
    hook(alice, receiver.url)
    Webhook.objects.filter(name="broken").update(secret="sealed by a key that is lost")
    happens(alice)

    assert passes("broken") == 0
    assert passes() == 1
    assert "a turn failed" in caplog.text


def test_what_is_older_than_a_week_is_swept(alice, receiver):
    hook(alice, receiver.url)
    happens(alice)
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=8))
    webhooks.delete(by=alice, tenant_name="team", name="hook")
    hook(alice, receiver.url)
    happens(alice, Role.VIEWER)
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=8))
    deliveries.sweep()
    work.sweep()

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
