from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone


class AuditEvent(models.Model):
    """Who did what to what, written in the same transaction as the change and chained to the row before.

    No foreign keys: the log outlives what it tells of. Written by ``tenancy.actions.audit_rows`` alone.
    """

    sequence = models.BigIntegerField(unique=True)
    """From 1, without gaps."""
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=60)
    tenant = models.CharField(max_length=20, blank=True, db_index=True)
    target = models.CharField(max_length=200)
    facts = models.JSONField(default=dict)
    previous = models.CharField(max_length=64)
    """Fingerprint of the row before."""
    digest = models.CharField(max_length=64)
    """Fingerprint of this row, ``previous`` included; see ``tenancy.rules.chain``."""

    class Meta:
        ordering: ClassVar = ["-sequence"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(sequence__gte=1), name="tenancy_audit_sequence_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence}: {self.actor} {self.action} {self.target}"


class AuditHead(models.Model):
    """One row: the end of the chain, its last signature, and what the last look at all of it found.

    The last lock that any transaction takes.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    sequence = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64)
    signed = models.TextField(blank=True)
    """A head as JWS: this one, or one from seconds ago."""
    signed_sequence = models.BigIntegerField(default=0)
    signed_at = models.DateTimeField(null=True)
    checked_sequence = models.BigIntegerField(default=0)
    """How far the last look at the whole chain went."""
    checked_at = models.DateTimeField(null=True)
    faults = models.JSONField(default=list)
    """What it found, as ``{kind, sequence, detail}``; the first of them."""

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(id=1), name="tenancy_audit_one_head"),
        ]

    def __str__(self) -> str:
        return f"row {self.sequence}"


class AuditDenial(models.Model):
    """Refusals that are counted before they are written, so that a loop of them does not flood the log."""

    actor = models.CharField(max_length=150)
    attempted = models.CharField(max_length=60)
    tenant = models.CharField(max_length=20, blank=True)
    target = models.CharField(max_length=200)
    """Of the last one."""
    reason = models.CharField(max_length=500)
    count = models.PositiveIntegerField(default=0)
    """Since the last row about them."""
    since = models.DateTimeField()
    """Of that row."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["actor", "attempted", "tenant"], name="tenancy_audit_denial_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.attempted}: {self.count} more"
