"""Events on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, ListQuery, choices
from tenancy.event_enums import EventType
from tenancy.queries import events

if TYPE_CHECKING:
    from tenancy import models


class Event(CamelSerializer):
    """Something that happened."""

    id = serializers.CharField(help_text="Of this event alone; in a tenant's stream, where to go on from.")
    type = serializers.ChoiceField(choices(EventType))
    timestamp = serializers.DateTimeField()
    tenant = serializers.CharField(allow_null=True)
    data = serializers.DictField(help_text="The object, and what is told of this type of event.")  # type: ignore[assignment] # DRF takes fields off the class

    def to_representation(self, instance: models.Event) -> dict[str, Any]:
        """The same that streams and webhooks send."""
        return events.payload(instance)


class EventFilters(ListQuery):
    """Which events."""

    after = serializers.RegexField(
        r"^evt(-[a-z0-9][a-z0-9-]*)?-[0-9]{1,18}$",
        required=False,
        max_length=64,
        help_text="Only what came after the event of this id.",
    )
    type = serializers.ChoiceField(choices(EventType), required=False)
