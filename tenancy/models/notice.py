from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models


class Notice(models.Model):
    """Something a person is to know: in their inbox at once, by mail as soon as it can be sent."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    key = models.CharField(max_length=120)
    """Of what it tells: told once to each person."""
    subject = models.CharField(max_length=200)
    body = models.TextField()
    link = models.CharField(max_length=200, blank=True)
    """Path in the portal."""
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    """When the mail was taken by the mail server; never for people without an address."""

    class Meta:
        ordering: ClassVar = ["-created_at", "uid"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], name="tenancy_notice_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["user", "-created_at"], name="tenancy_notice_inbox")]

    def __str__(self) -> str:
        return f"{self.user}: {self.subject}"
