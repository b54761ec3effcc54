from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from tenancy.models.columns import choice_field, one_of
from tenancy.models.declared import Declared
from tenancy.models.tenant import Tenant
from tenancy.template_enums import VersionState


class ClusterTemplate(Declared):
    """What admins offer teams to begin a cluster with; what it is, is in its versions."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=40, unique=True)
    description = models.CharField(max_length=500, blank=True)
    deprecated = models.BooleanField(default=False)
    everybody = models.BooleanField(default=True)
    """Whether every tenant may use it, or the named ones only."""
    tenants = models.ManyToManyField(Tenant, related_name="templates")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def named(self) -> list[str] | None:
        """Who may use it, by name; ``None`` for everybody."""
        return None if self.everybody else sorted(tenant.name for tenant in self.tenants.all())


class TemplateVersion(Declared):
    """One version of a template: its content (``spec_text``) stays for ever, only its state moves."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    template = models.ForeignKey(ClusterTemplate, on_delete=models.CASCADE, related_name="versions")
    major = models.PositiveIntegerField()
    minor = models.PositiveIntegerField()
    patch = models.PositiveIntegerField()
    state = choice_field(VersionState, default=VersionState.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)

    class Meta:
        ordering: ClassVar = ["-major", "-minor", "-patch"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["template", "major", "minor", "patch"], name="tenancy_template_version_once"
            ),
            one_of("template_version", "state", VersionState),
        ]

    def __str__(self) -> str:
        return f"{self.template.name} {self.name}"

    @property
    def name(self) -> str:
        """As ``1.2.0``."""
        return f"{self.major}.{self.minor}.{self.patch}"
