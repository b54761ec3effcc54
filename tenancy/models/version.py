from __future__ import annotations

from typing import ClassVar

from django.db import models


class RemovedVersion(models.Model):
    """A version that was published and removed: its number never stands for anything else."""

    home = models.CharField(max_length=60)
    """Whose it was: ``template/<uid>`` or ``add-on/<name>``."""
    version = models.CharField(max_length=20)
    digest = models.CharField(max_length=64)
    """SHA-256 of its content, hexadecimal."""
    removed_at = models.DateTimeField(auto_now=True)
    removed_by = models.CharField(max_length=150)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["home", "version"], name="tenancy_removed_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.home} {self.version}"
