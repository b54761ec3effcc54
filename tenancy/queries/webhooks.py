"""Reads of webhooks and of what is on its way to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Min, Q
from django.utils import timezone

from tenancy import policy
from tenancy.enums import Permission, WorkKind
from tenancy.errors import FieldError, Invalid, NotFound
from tenancy.event_enums import DeliveryState, EventType, WebhookPhase
from tenancy.models import Delivery, Webhook
from tenancy.queries import tenants, work
from tenancy.queries.lookup import look_up
from tenancy.rules import addresses, sealing
from tenancy.rules.addresses import Admitted, Refused
from tenancy.rules.turns import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.policy import Actor
    from tenancy.rules.addresses import Address


@dataclass(frozen=True)
class Message:
    """What is to be sent next to a webhook."""

    delivery: UUID
    url: str
    identifier: str
    body: str
    keys: tuple[str, ...]
    """Secrets to sign with, the newest first."""


def visible_to(actor: Actor, tenant_name: str | None) -> QuerySet[Webhook]:
    """A tenant's webhooks by name, or the platform's where none is named."""
    tenant = tenants.get(actor, tenant_name) if tenant_name is not None else None
    policy.check(actor, Permission.WEBHOOK_VIEW, tenant)
    return Webhook.objects.filter(tenant=tenant).select_related("tenant").order_by("name")


def get(actor: Actor, tenant_name: str | None, name: str) -> Webhook:
    """One of them."""
    found = visible_to(actor, tenant_name).filter(name=name).first()
    if found is None:
        raise NotFound(missing(tenant_name, name))
    return found


def phase(hook: Webhook) -> WebhookPhase:
    """How its receiver does."""
    if not hook.enabled:
        return WebhookPhase.OFF
    if hook.disabled_at:
        return WebhookPhase.DISABLED
    return WebhookPhase.FAILING if hook.failing_since else WebhookPhase.ACTIVE


def manages(actor: Actor, tenant_name: str | None) -> bool:
    """Whether the actor may change them."""
    tenant = tenants.get(actor, tenant_name) if tenant_name is not None else None
    return policy.allows(actor, Permission.WEBHOOK_MANAGE, tenant)


def missing(tenant_name: str | None, name: str) -> str:
    """What is said of one that is not there."""
    where = f"tenant {tenant_name!r}" if tenant_name is not None else "the platform"
    return f"{where} has no webhook {name!r}"


def deliveries(actor: Actor, tenant_name: str | None, name: str) -> QuerySet[Delivery]:
    """What was sent to it, and is to be, newest first."""
    return Delivery.objects.filter(webhook=get(actor, tenant_name, name)).order_by("-created_at", "-id")


def delivery(actor: Actor, tenant_name: str | None, name: str, uid: UUID) -> Delivery:
    """One of them."""
    found = deliveries(actor, tenant_name, name).filter(uid=uid).select_related("webhook__tenant").first()
    if found is None:
        msg = f"webhook {name!r} has no delivery {uid}, or it is kept no longer"
        raise NotFound(msg)
    return found


def admitted() -> Admitted:
    """What admins allow beyond the rule, from the settings."""
    return Admitted(addresses.ranges(settings.ATOLL_WEBHOOK_ALLOW), settings.ATOLL_WEBHOOK_HTTP)


def vet(url: str, look_up: Callable[[str], Iterable[Address]] = look_up) -> None:
    """Raises ``Invalid`` for a URL to which nothing is sent.

    A name without an address yet is let pass: it is judged at each connection. Asks the
    resolver, so it is called outside of any transaction.
    """
    allowed = admitted()
    try:
        receiver = addresses.read(url, allowed)
        found = () if receiver.address else tuple(look_up(receiver.host))
        if found:
            addresses.judge(found, allowed)
    except Refused as refused:
        fault = FieldError("spec.url", "refused-address", str(refused))
        raise Invalid(f"spec.url: {refused}", errors=(fault,)) from refused


def active() -> Q:
    """Those that are sent anything."""
    return Q(enabled=True, disabled_at__isnull=True)


def wanting(tenant_name: str) -> list[Webhook]:
    """Those that hear what happens in a tenant (the empty name: on the platform)."""
    mine = Q(tenant__isnull=True) | Q(tenant__name=tenant_name)
    return list(Webhook.objects.filter(active(), mine).order_by("uid"))


def waiting() -> list[Waiting]:
    """Those that a sender should look at and none is at, the longest waiting first."""
    due = work.free(WorkKind.WEBHOOK)
    rows = Webhook.objects.filter(uid__in=due) if due else Webhook.objects.none()
    known = {row[0]: row for row in rows.values_list("uid", "tenant__name", "failures")}
    found = (known.get(uid, (uid, None, 0)) for uid in due)  # one that is gone has no turn to fear
    return [Waiting(uid, tenant or "", failures > 0) for uid, tenant, failures in found]


def next_message(uid: UUID) -> Message | float | None:
    """What to send now, the seconds until there will be something, or ``None`` when nothing waits."""
    hook = Webhook.objects.filter(uid=uid).first()
    if hook is None:
        return None
    now = timezone.now()
    waiting = Delivery.objects.filter(webhook=hook, state=DeliveryState.PENDING)
    if not hook.enabled or hook.disabled_at:
        waiting = waiting.filter(type=EventType.PING)  # tries whether it is well again
    ready = waiting.filter(next_at__lte=now).order_by("id")
    if hook.not_before is not None and hook.not_before > now:
        ready = ready.filter(type=EventType.PING)
    first = ready.first()
    if first is not None:
        return Message(first.uid, hook.url, first.message, first.body, keys(hook, now))
    earliest = waiting.aggregate(at=Min("next_at"))["at"]
    if earliest is None:
        return None
    then: datetime = max(earliest, hook.not_before or earliest)
    return max(0.1, (then - now).total_seconds())


def keys(hook: Webhook, now: datetime) -> tuple[str, ...]:
    """The secrets that sign for it now."""
    current = sealing.unseal(settings.SEALING_KEYS, hook.secret)
    if hook.old_secret and hook.old_secret_until and hook.old_secret_until > now:
        return current, sealing.unseal(settings.SEALING_KEYS, hook.old_secret)
    return (current,)
