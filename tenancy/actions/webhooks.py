"""What owners do to their tenant's webhooks, and admins to the platform's."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from tenancy import policy
from tenancy.actions import audit, work
from tenancy.actions.unit import atomic
from tenancy.enums import Permission, WorkKind
from tenancy.errors import Conflict, Invalid
from tenancy.event_enums import DeliveryState, EventType
from tenancy.models import Delivery, Webhook
from tenancy.queries import tenants
from tenancy.queries import webhooks as known
from tenancy.rules import events, sealing
from tenancy.rules import webhooks as rules
from tenancy.rules.names import name_errors

if TYPE_CHECKING:
    from uuid import UUID

    from tenancy.models import Tenant
    from tenancy.policy import Actor

NAME_MAX: Final = 40
MOST: Final = 20
"""Webhooks of one tenant, or of the platform."""


@dataclass(frozen=True)
class WebhookWish:
    """What its owner says of a webhook; the URL was vetted (``queries.webhooks.vet``)."""

    url: str
    types: tuple[EventType, ...] = ()
    """Which events; all of them where none is named."""
    enabled: bool = True


@atomic
def put(*, by: Actor, tenant_name: str | None, name: str, wish: WebhookWish) -> tuple[Webhook, str]:
    """Makes or changes one; the secret of a new one, which is shown this once."""
    tenant = _managed(by, tenant_name)
    old = known.visible_to(by, tenant_name).filter(name=name).first()
    if old is None:
        return _create(by, tenant, name, wish)
    values = {**asdict(wish), "types": [kind.value for kind in wish.types]}
    changed = {key: value for key, value in values.items() if value != getattr(old, key)}
    if changed:
        _change(by, old, changed)
    return old, ""


@atomic
def delete(*, by: Actor, tenant_name: str | None, name: str) -> None:
    """Ends it; what is on its way is not sent any more."""
    _managed(by, tenant_name)
    hook = known.get(by, tenant_name, name)
    _note(by, "webhook.delete", hook)
    work.forget(WorkKind.WEBHOOK, hook.uid)
    hook.delete()


@atomic
def rotate(*, by: Actor, tenant_name: str | None, name: str) -> tuple[Webhook, str]:
    """A new secret; for a day messages are signed by the old one as well."""
    _managed(by, tenant_name)
    hook = _locked(by, tenant_name, name)
    secret = rules.new_secret()
    hook.old_secret, hook.old_secret_until = hook.secret, timezone.now() + rules.OVERLAP
    hook.secret = sealing.seal(settings.SEALING_KEYS, secret)
    hook.save(update_fields=["secret", "old_secret", "old_secret_until"])
    _note(by, "webhook.rotate", hook)
    return hook, secret


@atomic
def ping(*, by: Actor, tenant_name: str | None, name: str) -> Delivery:
    """Sends it a test, even where it is disabled: one that is taken brings it back."""
    _managed(by, tenant_name)
    hook = _locked(by, tenant_name, name)
    if hook.deliveries.filter(type=EventType.PING, state=DeliveryState.PENDING).exists():
        msg = "a test is on its way to it already: wait for that one"
        raise Conflict(msg)
    now, message = timezone.now(), f"ping-{uuid.uuid4().hex}"
    data = {"object": {"kind": "webhook", "name": hook.name}, "actor": by.name}
    body = events.payload(message, EventType.PING, now, tenant_name or "", data)
    made = Delivery.objects.create(
        webhook=hook, message=message, type=EventType.PING, body=events.text(body), next_at=now
    )
    _note(by, "webhook.ping", hook)
    work.request(WorkKind.WEBHOOK, hook.uid)
    return made


@atomic
def redeliver(*, by: Actor, tenant_name: str | None, name: str, uid: UUID) -> Delivery:
    """Sends a message once more: under the same id, so that a receiver that had it knows."""
    _managed(by, tenant_name)
    hook = _locked(by, tenant_name, name)
    found = known.delivery(by, tenant_name, name, uid)
    found.state, found.tries, found.finished_at = DeliveryState.PENDING.value, 0, None
    found.next_at = timezone.now()
    found.save(update_fields=["state", "tries", "next_at", "finished_at"])
    _note(by, "webhook.redeliver", hook, message=found.message)
    work.request(WorkKind.WEBHOOK, hook.uid)
    return found


def _managed(by: Actor, tenant_name: str | None) -> Tenant | None:
    tenant = tenants.get(by, tenant_name) if tenant_name is not None else None
    policy.check(by, Permission.WEBHOOK_MANAGE, tenant)
    return tenant


def _create(by: Actor, tenant: Tenant | None, name: str, wish: WebhookWish) -> tuple[Webhook, str]:
    faults = name_errors("metadata.name", name, longest=NAME_MAX)
    if faults:
        raise Invalid(faults[0].detail, errors=faults)
    if Webhook.objects.filter(tenant=tenant).count() >= MOST:
        msg = f"there are {MOST} webhooks already, which is all there may be: delete one"
        raise Conflict(msg)
    secret = rules.new_secret()
    made = Webhook.objects.create(
        tenant=tenant,
        name=name,
        url=wish.url,
        types=[kind.value for kind in wish.types],
        enabled=wish.enabled,
        secret=sealing.seal(settings.SEALING_KEYS, secret),
        created_by=by.name,
    )
    _note(by, "webhook.create", made, host=_host(wish.url), types=made.types, enabled=made.enabled)
    return made, secret


def _change(by: Actor, hook: Webhook, changed: dict[str, Any]) -> None:
    """A new address deserves a new chance; what waits is sent there."""
    told = audit.changes({key: getattr(hook, key) for key in changed}, changed)
    if "url" in changed:  # its path may be a secret of the receiver's
        told["url"] = {"from": _host(hook.url), "to": _host(changed["url"])}
        changed |= {"disabled_at": None, "disabled_reason": "", "failures": 0}
        changed |= {"failing_since": None, "not_before": None}
    for key, value in changed.items():
        setattr(hook, key, value)
    hook.generation += 1
    hook.save(update_fields=[*changed, "generation"])
    _note(by, "webhook.update", hook, changes=told)
    work.request(WorkKind.WEBHOOK, hook.uid)


def _locked(by: Actor, tenant_name: str | None, name: str) -> Webhook:
    found = known.get(by, tenant_name, name)
    return Webhook.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=found.pk)


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _note(by: Actor, action: str, hook: Webhook, **facts: Any) -> None:  # noqa: ANN401 - facts are JSON
    tenant = hook.tenant.name if hook.tenant else ""
    audit.note(
        actor=by.name, action=action, tenant=tenant, target=f"webhook/{hook}", uid=str(hook.uid), **facts
    )
