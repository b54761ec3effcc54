from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from tenancy.event_enums import DeliveryState, EventType
from tenancy.models.columns import choice_field, one_of
from tenancy.models.declared import Declared
from tenancy.models.tenant import Tenant


class Webhook(Declared):
    """A receiver of events: a tenant's, or the platform's, which hears of every tenant."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="webhooks")
    """``None`` for the platform's."""
    name = models.CharField(max_length=40)
    url = models.CharField(max_length=2000)
    types = models.JSONField(default=list)
    """Which events; empty for all."""
    enabled = models.BooleanField(default=True)
    """As its owners wish."""
    secret = models.TextField()
    """Sealed; signs every message."""
    old_secret = models.TextField(blank=True)
    """Sealed; the one before, which signs as well until a day after the rotation."""
    old_secret_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)
    failures = models.PositiveIntegerField(default=0)
    """Attempts that failed since the last that did not."""
    failing_since = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    """A receiver that fails is left alone until then, whatever waits for it."""
    disabled_at = models.DateTimeField(null=True)
    """Since when Atoll sends it nothing, for it failed too long."""
    disabled_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["name", "uid"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "name"], name="tenancy_webhook_once"),
            models.UniqueConstraint(
                fields=["name"], condition=Q(tenant__isnull=True), name="tenancy_webhook_platform_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant or 'platform'}/{self.name}"


class Delivery(models.Model):
    """One event on its way to one webhook, with every attempt."""

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    message = models.CharField(max_length=64)
    """The event's id, or one of its own for a test: the same in every attempt."""
    type = choice_field(EventType)
    body = models.TextField()
    state = choice_field(DeliveryState, default=DeliveryState.PENDING)
    tries = models.PositiveIntegerField(default=0)
    """Since it was asked for last."""
    attempts = models.JSONField(default=list)
    """``[{at, status, milliseconds, message}]``, the last ones; nothing of what the receiver answered."""
    created_at = models.DateTimeField(auto_now_add=True)
    next_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["webhook", "message"], name="tenancy_delivery_once"),
            models.CheckConstraint(
                condition=Q(state=DeliveryState.PENDING.value, next_at__isnull=False)
                | (~Q(state=DeliveryState.PENDING.value) & Q(next_at__isnull=True)),
                name="tenancy_delivery_pending_has_its_time",
            ),
            one_of("delivery", "state", DeliveryState),
            one_of("delivery", "type", EventType),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["webhook", "next_at"],
                condition=Q(state=DeliveryState.PENDING.value),
                name="tenancy_delivery_due",
            ),
            models.Index(fields=["created_at"], name="tenancy_delivery_created"),
            models.Index(
                fields=["webhook"],
                condition=Q(state=DeliveryState.FAILED.value),
                name="tenancy_delivery_failed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message} to {self.webhook_id}: {self.state}"
