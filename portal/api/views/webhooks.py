"""Webhooks: a tenant's, kept by its owners, and the platform's, kept by admins, in the same way.

What is the same is in the classes without a route; those with one name their operations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - DRF's views keep their annotations

from portal.api.base import RETRY_AFTER, Operation, Resource, agree, operation
from portal.api.declared import DeclaredResource, reads, removes, writes
from portal.api.serializers.webhooks import (
    Delivery,
    DeliveryFilters,
    NewWebhook,
    Webhook,
    WebhookFilters,
    WebhookSecret,
    to_secret,
)
from portal.api.single import Single
from tenancy import models
from tenancy.actions import webhooks as verbs
from tenancy.event_enums import EventType
from tenancy.queries import webhooks

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response


def _writes(name: str) -> Operation:
    """A PUT whose first answer holds the secret."""
    put = writes(name, Webhook)
    return replace(put, answers={**put.answers, 201: NewWebhook}, body=NewWebhook)


class _Collection(Resource):
    tag = "webhooks"

    def found(self, tenant: str | None) -> Response:
        """One page."""
        rows = webhooks.visible_to(self.actor, tenant)
        return self.listed(Webhook, rows, name=self.query.get("name"))


class _One(DeclaredResource[models.Webhook]):
    tag = "webhooks"
    kind = Webhook
    readiness = "503 while its receiver takes nothing, 409 when Atoll gave that up."
    secret = ""

    def rows(self, name: str, tenant: str | None = None) -> QuerySet[models.Webhook]:
        """By its tenant and name."""
        return webhooks.visible_to(self.actor, tenant).filter(name=name)

    def put_it(self, request: Request, **named: str) -> Response:
        """Vets the address before any transaction, for that may take seconds."""
        if "tenant" not in named:
            agree((self.body.get("tenant") or {}).get("name"), "", "metadata.tenant")
        if webhooks.manages(self.actor, named.get("tenant")):
            webhooks.vet(self.body["url"])
        response = self.written(request, **named)
        if response.status_code == 201:  # noqa: PLR2004 - created
            response.data["secret"] = self.secret
        return response

    def write(self, name: str, tenant: str | None = None) -> None:
        """Makes or changes it."""
        types = tuple(EventType(word) for word in self.body["types"])
        wish = verbs.WebhookWish(self.body["url"], types, enabled=self.body["enabled"])
        _, self.secret = verbs.put(by=self.actor, tenant_name=tenant, name=name, wish=wish)

    def remove(self, name: str, tenant: str | None = None) -> None:
        """Removes it."""
        verbs.delete(by=self.actor, tenant_name=tenant, name=name)

    def missing(self, name: str, tenant: str | None = None) -> str:
        """Which webhook of whom."""
        return webhooks.missing(tenant, name)


class _Secret(Resource):
    tag = "webhooks"

    def rotated(self, name: str, tenant: str | None = None) -> Response:
        """A new secret, once."""
        hook, secret = verbs.rotate(by=self.actor, tenant_name=tenant, name=name)
        return self.answer(WebhookSecret, to_secret(hook, secret), secret="secret")  # noqa: S106 - a member's name


class _Sending(Resource):
    tag = "webhooks"

    def sent(self, request: Request, made: models.Delivery) -> Response:
        """Where to see what comes of it."""
        base = request.path.rstrip("/").rpartition("/")[0].partition("/deliveries/")[0]
        headers = {"Location": f"{base}/deliveries/{made.uid}", "Retry-After": RETRY_AFTER}
        return self.answer(Delivery, made, status=202, headers=headers)


class _Deliveries(Resource):
    tag = "webhooks"

    def found(self, name: str, tenant: str | None = None) -> Response:
        """One page."""
        rows = webhooks.deliveries(self.actor, tenant, name)
        return self.listed(Delivery, rows, state=self.query.get("state"), type=self.query.get("type"))


class _Sent(Single):
    tag = "webhooks"
    kind = Delivery
    readiness = "Ready when its receiver took it, 503 while it is tried again, 409 when it was given up."

    def found(self, name: str, uid: UUID, tenant: str | None = None) -> models.Delivery:
        """By its webhook and uid."""
        return webhooks.delivery(self.actor, tenant, name, uid)


class TenantWebhooks(_Collection):
    """A tenant's."""

    @operation("listTenantWebhooks", {200: Webhook}, query=WebhookFilters, listing=True)
    def get(self, _: Request, tenant: str) -> Response:
        """Lists a tenant's webhooks by name (owners, auditors, admins)."""
        return self.found(tenant)


class OneTenantWebhook(_One):
    """One of a tenant's."""

    keys = {"name": "name", "tenant": "tenant"}

    @reads("getTenantWebhook", Webhook)
    def get(self, _: Request, tenant: str, name: str) -> Response:
        """Reads a webhook of a tenant (owners, auditors, admins)."""
        return self.told(tenant=tenant, name=name)

    @_writes("putTenantWebhook")
    def put(self, request: Request, tenant: str, name: str) -> Response:
        """Makes or changes a webhook of a tenant (owners); the first answer holds its secret, once."""
        return self.put_it(request, tenant=tenant, name=name)

    @removes("deleteTenantWebhook", Webhook)
    def delete(self, request: Request, tenant: str, name: str) -> Response:
        """Removes a webhook of a tenant (owners); what is on its way is not sent any more."""
        return self.removed(request, tenant=tenant, name=name)


class TenantWebhookSecret(_Secret):
    """The secret of one of a tenant's."""

    @operation("rotateTenantWebhook", {200: WebhookSecret}, idempotent=True)
    def post(self, _: Request, tenant: str, name: str) -> Response:
        """Gives it a new secret (owners); messages carry a signature by the old one too, for 24 hours."""
        return self.rotated(name, tenant)


class TenantWebhookPing(_Sending):
    """A test of one of a tenant's."""

    @operation("pingTenantWebhook", {202: Delivery}, idempotent=True)
    def post(self, request: Request, tenant: str, name: str) -> Response:
        """Sends it a test (owners); one that is taken brings a disabled webhook back."""
        return self.sent(request, verbs.ping(by=self.actor, tenant_name=tenant, name=name))


class TenantWebhookDeliveries(_Deliveries):
    """What one of a tenant's was sent."""

    @operation("listTenantWebhookDeliveries", {200: Delivery}, query=DeliveryFilters, listing=True)
    def get(self, _: Request, tenant: str, name: str) -> Response:
        """Lists what was sent to it in the last week, newest first (owners, auditors, admins)."""
        return self.found(name, tenant)


class OneTenantWebhookDelivery(_Sent):
    """One of these."""

    @operation("getTenantWebhookDelivery", {200: Delivery})
    def get(self, _: Request, tenant: str, name: str, uid: UUID) -> Response:
        """Reads one delivery with its attempts (owners, auditors, admins)."""
        return self.told(tenant=tenant, name=name, uid=uid)


class TenantWebhookRedelivery(_Sending):
    """Sending one of these again."""

    @operation("redeliverTenantWebhook", {202: Delivery}, idempotent=True)
    def post(self, request: Request, tenant: str, name: str, uid: UUID) -> Response:
        """Sends it once more, under the same id (owners)."""
        return self.sent(request, verbs.redeliver(by=self.actor, tenant_name=tenant, name=name, uid=uid))


class PlatformWebhooks(_Collection):
    """The platform's."""

    @operation("listWebhooks", {200: Webhook}, query=WebhookFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists the webhooks that hear of every tenant (admins, auditors)."""
        return self.found(None)


class OnePlatformWebhook(_One):
    """One of the platform's."""

    keys = {"name": "name"}

    @reads("getWebhook", Webhook)
    def get(self, _: Request, name: str) -> Response:
        """Reads a webhook of the platform (admins, auditors)."""
        return self.told(name=name)

    @_writes("putWebhook")
    def put(self, request: Request, name: str) -> Response:
        """Makes or changes a webhook of the platform (admins); the first answer holds its secret, once."""
        return self.put_it(request, name=name)

    @removes("deleteWebhook", Webhook)
    def delete(self, request: Request, name: str) -> Response:
        """Removes a webhook of the platform (admins)."""
        return self.removed(request, name=name)


class PlatformWebhookSecret(_Secret):
    """The secret of one of the platform's."""

    @operation("rotateWebhook", {200: WebhookSecret}, idempotent=True)
    def post(self, _: Request, name: str) -> Response:
        """Gives it a new secret (admins); messages carry a signature by the old one too, for 24 hours."""
        return self.rotated(name)


class PlatformWebhookPing(_Sending):
    """A test of one of the platform's."""

    @operation("pingWebhook", {202: Delivery}, idempotent=True)
    def post(self, request: Request, name: str) -> Response:
        """Sends it a test (admins); one that is taken brings a disabled webhook back."""
        return self.sent(request, verbs.ping(by=self.actor, tenant_name=None, name=name))


class PlatformWebhookDeliveries(_Deliveries):
    """What one of the platform's was sent."""

    @operation("listWebhookDeliveries", {200: Delivery}, query=DeliveryFilters, listing=True)
    def get(self, _: Request, name: str) -> Response:
        """Lists what was sent to it in the last week, newest first (admins, auditors)."""
        return self.found(name)


class OnePlatformWebhookDelivery(_Sent):
    """One of these."""

    @operation("getWebhookDelivery", {200: Delivery})
    def get(self, _: Request, name: str, uid: UUID) -> Response:
        """Reads one delivery with its attempts (admins, auditors)."""
        return self.told(name=name, uid=uid)


class PlatformWebhookRedelivery(_Sending):
    """Sending one of these again."""

    @operation("redeliverWebhook", {202: Delivery}, idempotent=True)
    def post(self, request: Request, name: str, uid: UUID) -> Response:
        """Sends it once more, under the same id (admins)."""
        return self.sent(request, verbs.redeliver(by=self.actor, tenant_name=None, name=name, uid=uid))
