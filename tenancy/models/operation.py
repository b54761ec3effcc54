from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from tenancy.enums import OperationKind, OperationState
from tenancy.models.columns import choice_field, one_of
from tenancy.models.tenant import Tenant


class Operation(models.Model):
    """One change that somebody asked for and how far it is; outlives its target by 30 days."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="operations")
    kind = choice_field(OperationKind)
    state = choice_field(OperationState, default=OperationState.RUNNING)
    target_uid = models.UUIDField(db_index=True)
    target_name = models.CharField(max_length=24)
    generation = models.PositiveIntegerField()
    steps = models.JSONField(default=list)
    """``[{name, state, message, startedAt, finishedAt}]``; written by observations only."""
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "uid"]
        constraints: ClassVar = [
            one_of("operation", "kind", OperationKind),
            one_of("operation", "state", OperationState),
            models.UniqueConstraint(
                fields=["target_uid"],
                condition=models.Q(state=OperationState.RUNNING.value),
                name="tenancy_operation_one_running",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target_name}: {self.state}"
