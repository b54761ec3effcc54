from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from tenancy.models.declared import Declared


class AddOnVersion(Declared):
    """One version of an add-on: Kubernetes objects for tenants' clusters; its content (``spec_text``) stays for ever."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=40)
    major = models.PositiveIntegerField()
    minor = models.PositiveIntegerField()
    patch = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)

    class Meta:
        ordering: ClassVar = ["name", "-major", "-minor", "-patch"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["name", "major", "minor", "patch"], name="tenancy_add_on_version_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def version(self) -> str:
        """As ``1.2.0``."""
        return f"{self.major}.{self.minor}.{self.patch}"
