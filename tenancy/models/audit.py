from __future__ import annotations

from typing import ClassVar

from django.db import models


class AuditEvent(models.Model):
    """Who did what to what, written in the same transaction as the change.

    No foreign keys: the log outlives what it tells of.
    """

    at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=60)
    tenant = models.CharField(max_length=20, blank=True, db_index=True)
    target = models.CharField(max_length=200)
    facts = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"
