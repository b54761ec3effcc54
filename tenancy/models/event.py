from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from tenancy.event_enums import EventType
from tenancy.models.columns import choice_field, one_of


class Event(models.Model):
    """Something that happened, written in the transaction in which it did; kept for some days.

    No foreign keys: it outlives what it tells of. Written by ``tenancy.actions.event_rows`` alone.
    """

    tenant = models.CharField(max_length=20, blank=True)
    """Empty for what concerns the platform."""
    sequence = models.BigIntegerField()
    """From 1 in each tenant, without gaps and in the order of commits."""
    type = choice_field(EventType)
    at = models.DateTimeField()
    data = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["tenant", "sequence"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "sequence"], name="tenancy_event_once"),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="tenancy_event_sequence_from_one"),
            one_of("event", "type", EventType),
        ]
        indexes: ClassVar = [models.Index(fields=["at"], name="tenancy_event_at")]

    def __str__(self) -> str:
        return f"{self.tenant or 'platform'} {self.sequence}: {self.type}"


class EventHead(models.Model):
    """How many events a tenant has had, and up to which they were handed to its webhooks.

    Locked at a transaction's end, in the order of names, before the head of the audit log.
    """

    tenant = models.CharField(max_length=20, primary_key=True)
    """Empty for the platform."""
    sequence = models.BigIntegerField(default=0)
    handed_over = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(handed_over__lte=F("sequence")), name="tenancy_event_head_not_ahead"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["tenant"], condition=Q(sequence__gt=F("handed_over")), name="tenancy_event_head_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant or 'platform'}: {self.sequence}"
