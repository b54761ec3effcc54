from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models


class Identity(models.Model):
    """A person as an OpenID provider knows them. Only this pair links them to a user, never a name or mail."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    managed = models.BooleanField(default=False)
    """The user was made by this sign-in, so groups decide its platform role; one linked by an admin keeps its own."""
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "uid"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="tenancy_identity_once"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer} is {self.user}"
