from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenancy.enums import ServiceKind, WorkKind
from tenancy.models.columns import choice_field, one_of


class WorkItem(models.Model):
    """One row per object that may need a look: the queue itself (Celery only rings)."""

    kind = choice_field(WorkKind)
    object_id = models.UUIDField()
    requested = models.PositiveBigIntegerField(default=0)
    """Counts the wishes."""
    handled = models.PositiveBigIntegerField(default=0)
    """The wish up to which a pass ended well."""
    due_at = models.DateTimeField()
    rung_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "object_id"], name="tenancy_work_one_row"),
            models.CheckConstraint(
                condition=models.Q(handled__lte=models.F("requested")), name="tenancy_work_handled_not_ahead"
            ),
            models.CheckConstraint(
                condition=models.Q(lease__isnull=True, lease_until__isnull=True)
                | models.Q(lease__isnull=False, lease_until__isnull=False),
                name="tenancy_work_lease_paired",
            ),
            one_of("work", "kind", WorkKind),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(requested__gt=models.F("handled")),
                name="tenancy_work_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}: {self.handled}/{self.requested}"


class ServiceHeartbeat(models.Model):
    """When a process of ours was last seen to work."""

    kind = choice_field(ServiceKind)
    name = models.CharField(max_length=150)
    seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "name"], name="tenancy_heartbeat_once"),
            one_of("heartbeat", "kind", ServiceKind),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
