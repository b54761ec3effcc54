"""Webhooks and what is sent to them, on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, Flag, ListQuery, StrictSerializer, Text, choices
from portal.api.serializers.declared import DeclaredSerializer, DeclaredStatus, MadeMetadata
from tenancy.event_enums import DeliveryState, EventType
from tenancy.queries import webhooks
from tenancy.rules.addresses import LONGEST

if TYPE_CHECKING:
    from tenancy import models

_SECRET = "Signs every message; shown this once. Send it to the receiver."  # noqa: S105 - help


class WebhookMetadata(MadeMetadata):
    """Which webhook it is; all but the name is the server's."""

    name = Text(required=False, help_text="A DNS label of at most 40 characters.")
    tenant = Text(
        required=False,
        source="tenant.name",
        default=None,
        allow_null=True,
        help_text="Null for the platform's.",
    )


class WebhookSpec(StrictSerializer):
    """Where events go, and which."""

    url = Text(max_length=LONGEST, help_text="https, to an address on the public Internet.")
    types = serializers.ListField(
        child=serializers.ChoiceField(choices(EventType)),
        default=list,
        max_length=len(EventType),
        help_text="Empty for all.",
    )
    enabled = Flag(default=True, help_text="What happens while it is not is not sent later.")


class WebhookStatus(DeclaredStatus):
    """How its receiver does."""

    effective = WebhookSpec(source="*")
    phase = serializers.SerializerMethodField(help_text="`Active`, `Failing`, `Disabled` or `Off`.")
    message = serializers.CharField(source="disabled_reason", help_text="Why Atoll disabled it.")
    failing_since = serializers.DateTimeField(allow_null=True)
    disabled_at = serializers.DateTimeField(
        allow_null=True, help_text="A test that its receiver takes, or another address, brings it back."
    )
    old_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then the secret before the last rotation signs as well."
    )

    @extend_schema_field(str)
    def get_phase(self, hook: models.Webhook) -> str:
        """One word for people."""
        return webhooks.phase(hook).value


class Webhook(DeclaredSerializer):
    """A receiver of events."""

    metadata = WebhookMetadata(source="*", required=False)
    spec = WebhookSpec(source="*")
    status = WebhookStatus(source="*", read_only=True)


class NewWebhook(Webhook):
    """A webhook just made, with its secret."""

    secret = serializers.CharField(read_only=True, help_text=_SECRET)


class WebhookSecret(CamelSerializer):
    """A new secret."""

    secret = serializers.CharField(help_text=f"{_SECRET} Absent when the answer is a replay.", required=False)
    old_secret_until = serializers.DateTimeField(help_text="Until then the one before signs as well.")


class Attempt(CamelSerializer):
    """One time that it was sent."""

    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True, help_text="Of HTTP; null where there was no answer.")
    milliseconds = serializers.IntegerField()
    message = serializers.CharField(allow_blank=True, help_text="What was wrong.")


class Delivery(CamelSerializer):
    """One event on its way to one webhook. Nothing of what a receiver answers is kept but the status."""

    id = serializers.UUIDField(source="uid")
    event = serializers.CharField(source="message", help_text="The event's id, sent as `webhook-id`.")
    type = serializers.ChoiceField(choices(EventType))
    state = serializers.ChoiceField(choices(DeliveryState))
    attempts = Attempt(many=True)
    created_at = serializers.DateTimeField()
    next_at = serializers.DateTimeField(allow_null=True, help_text="When it is tried next, at the earliest.")
    finished_at = serializers.DateTimeField(allow_null=True)


class WebhookFilters(ListQuery):
    """Which webhooks."""

    name = serializers.CharField(required=False, max_length=63)


class DeliveryFilters(ListQuery):
    """Which deliveries."""

    state = serializers.ChoiceField(choices(DeliveryState), required=False)
    type = serializers.ChoiceField(choices(EventType), required=False)


def to_secret(hook: models.Webhook, secret: str) -> dict[str, Any]:
    """For ``WebhookSecret``."""
    return {"secret": secret, "old_secret_until": hook.old_secret_until}
