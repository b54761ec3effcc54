from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from tenancy.enums import ReportState
from tenancy.models.cluster import VirtualCluster
from tenancy.models.columns import choice_field, one_of


class IsolationReport(models.Model):
    """What was probed of a cluster's isolation at one time, signed; asked for by a person or the schedule."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(VirtualCluster, on_delete=models.CASCADE, related_name="reports")
    state = choice_field(ReportState, default=ReportState.PENDING)
    requested_at = models.DateTimeField(auto_now_add=True)
    requested_by = models.CharField(max_length=150)
    """A person, or ``schedule``."""
    started_at = models.DateTimeField(null=True)
    """When a worker first looked; its patience counts from here."""
    finished_at = models.DateTimeField(null=True)
    verdict = models.BooleanField(null=True)
    """True only if every claim passed; None while it is pending."""
    statement = models.TextField(blank=True)
    """Canonical JSON: exactly the bytes that were signed."""
    envelope = models.TextField(blank=True)
    """The statement as JWS, compact serialization."""
    key_id = models.CharField(max_length=64, blank=True)
    expires_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    """Why there is no statement."""

    class Meta:
        ordering: ClassVar = ["-requested_at", "uid"]
        constraints: ClassVar = [
            one_of("report", "state", ReportState),
            models.UniqueConstraint(
                fields=["cluster"],
                condition=models.Q(state=ReportState.PENDING.value),
                name="tenancy_report_one_pending",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=ReportState.READY.value)
                | (
                    models.Q(verdict__isnull=False, expires_at__isnull=False, finished_at__isnull=False)
                    & ~models.Q(envelope="")
                ),
                name="tenancy_report_ready_is_signed",
            ),
        ]

    def __str__(self) -> str:
        return f"isolation report {self.uid} of {self.cluster_id}: {self.state}"
