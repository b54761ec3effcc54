"""From events to receivers: handed to the webhooks that want them, tried, tried again, given up."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import F
from django.utils import timezone

from tenancy.actions import audit, notices, work
from tenancy.actions.event_rows import KEPT
from tenancy.actions.unit import atomic
from tenancy.enums import Role, WorkKind
from tenancy.event_enums import DeliveryState, EventType
from tenancy.models import Delivery, Event, EventHead, Membership, Webhook
from tenancy.queries import events, webhooks
from tenancy.rules import events as event_rules
from tenancy.rules import webhooks as rules
from tenancy.rules.chain import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from tenancy.actions.work import Lease
    from tenancy.models import User
    from tenancy.rules.webhooks import Answer

PROVISIONER: Final = "provisioner"
AT_ONCE: Final = 200
"""Events of a tenant that one transaction hands over."""
ATTEMPTS_KEPT: Final = 20


def hand_over() -> int:
    """Makes deliveries of what happened since the last time; returns how many events it looked at.

    Done twice at the same moment, by two relays, it has the effect of once.
    """
    due = EventHead.objects.filter(sequence__gt=F("handed_over")).order_by("tenant")
    return sum(_hand_over(head) for head in due[:AT_ONCE])


@atomic
def _hand_over(head: EventHead) -> int:
    # The head is locked last, after the work rows, as by every other writer.
    range_ = {"sequence__gt": head.handed_over, "sequence__lte": head.sequence}
    found = list(Event.objects.filter(tenant=head.tenant, **range_).order_by("sequence")[:AT_ONCE])
    made = list(_deliveries(head.tenant, found))
    Delivery.objects.bulk_create(made, ignore_conflicts=True)
    for uid in sorted({one.webhook_id for one in made}):
        work.request(WorkKind.WEBHOOK, uid)
    done = found[-1].sequence if found else head.sequence
    EventHead.objects.filter(pk=head.pk, handed_over=head.handed_over).update(handed_over=done)
    return len(found)


def _deliveries(tenant: str, found: list[Event]) -> Iterator[Delivery]:
    now = timezone.now()
    hooks = webhooks.wanting(tenant)
    for event in found if hooks else ():
        body = events.payload(event)
        for hook in hooks:
            if event.at >= hook.created_at and (not hook.types or event.type in hook.types):
                text = event_rules.text(body)
                yield Delivery(webhook=hook, message=body["id"], type=event.type, body=text, next_at=now)


@atomic
def tried(lease: Lease, uid: UUID, answer: Answer) -> bool:
    """What came of an attempt; False (and nothing written) when the lease is lost."""
    if not work.holds(lease):
        return False
    hook = Webhook.objects.select_for_update(of=("self",)).select_related("tenant").filter(pk=lease.object_id)
    delivery = Delivery.objects.filter(uid=uid, webhook__in=hook, state=DeliveryState.PENDING).first()
    if delivery is None:
        return True
    now = timezone.now()
    _conclude(delivery, answer, now)
    _judge(hook.get(), answer, now)
    return True


def sweep() -> int:
    """Drops deliveries as old as the events that go; returns how many."""
    return Delivery.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]


def _conclude(delivery: Delivery, answer: Answer, now: datetime) -> None:
    told = {"at": stamp(now), "status": answer.status, "milliseconds": answer.milliseconds}
    delivery.attempts = [*delivery.attempts, {**told, "message": answer.words}][-ATTEMPTS_KEPT:]
    delivery.tries += 1
    again = None
    if not answer.good and delivery.type != EventType.PING:
        again = rules.next_try(delivery.tries, answer, random.random())  # noqa: S311 - spreads load
    if again is not None:
        delivery.next_at = now + timedelta(seconds=again)
    else:
        delivery.state = (DeliveryState.DELIVERED if answer.good else DeliveryState.FAILED).value
        delivery.next_at, delivery.finished_at = None, now
    delivery.save(update_fields=["attempts", "tries", "state", "next_at", "finished_at"])


def _judge(hook: Webhook, answer: Answer, now: datetime) -> None:
    """What the answer says of the receiver as a whole."""
    if answer.good:
        _write(hook, failures=0, failing_since=None, not_before=None, disabled_at=None, disabled_reason="")
        return
    since = hook.failing_since or now
    rest = now + timedelta(seconds=rules.rest(hook.failures))
    _write(hook, failures=hook.failures + 1, failing_since=since, not_before=rest)
    if hook.disabled_at is None:
        reason = rules.too_bad(answer, now - since)
        if reason:
            _disable(hook, reason, now)


def _disable(hook: Webhook, reason: str, now: datetime) -> None:
    _write(hook, disabled_at=now, disabled_reason=reason)
    tenant = hook.tenant.name if hook.tenant else ""
    target = f"webhook/{hook}"
    audit.note(
        actor=PROVISIONER,
        action="webhook.disable",
        tenant=tenant,
        target=target,
        uid=str(hook.uid),
        reason=reason,
    )
    body = f"{reason[0].upper()}{reason[1:]}. Put its receiver right, then send it a test: once that is taken, all goes on."
    notices.tell(
        _owners(hook),
        key=f"webhook/{hook.uid}/{now.isoformat()}",
        subject=f"Webhook {hook} is disabled",
        body=body,
        link=f"/tenants/{tenant}/webhooks/{hook.name}" if tenant else f"/webhooks/{hook.name}",
    )


def _owners(hook: Webhook) -> list[User]:
    if hook.tenant is None:
        return notices.approvers()
    rows = Membership.objects.filter(tenant=hook.tenant, role=Role.OWNER, user__is_active=True)
    return [row.user for row in rows.select_related("user")]


def _write(hook: Webhook, **values: Any) -> None:  # noqa: ANN401 - column values
    Webhook.objects.filter(pk=hook.pk).update(**values)
