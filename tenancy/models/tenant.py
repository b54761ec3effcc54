from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from tenancy.enums import Role, Trust
from tenancy.models.columns import choice_field, one_of
from tenancy.models.declared import Declared


class Tenant(Declared):
    """A team: the unit that owns clusters and is kept apart from others."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=20, unique=True)
    display_name = models.CharField(max_length=100, blank=True)
    trust = choice_field(Trust, default=Trust.UNTRUSTED)
    suspended = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [one_of("tenant", "trust", Trust)]

    def __str__(self) -> str:
        return self.name


class Membership(Declared):
    """One person's role in one tenant."""

    uid = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = choice_field(Role)
    by_group = models.BooleanField(default=False)
    """A group of the OpenID provider gives it; it goes when the group does."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "user"], name="tenancy_membership_once"),
            one_of("membership", "role", Role),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.tenant}"
