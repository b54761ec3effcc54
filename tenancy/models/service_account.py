from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from tenancy.enums import Role
from tenancy.models.columns import choice_field, one_of
from tenancy.models.declared import Declared
from tenancy.models.tenant import Tenant


class ServiceAccount(Declared):
    """Something that works for a tenant and is no person: a CI, a controller.

    Its user is what tokens, kubeconfigs and idempotency keys belong to; that user is not active, which is
    how Django says that nobody signs in as it, and has no membership: the role is here.
    """

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="service_accounts")
    name = models.CharField(max_length=40)
    role = choice_field(Role)
    description = models.CharField(max_length=200, blank=True)
    trust = models.JSONField(default=list)
    """Policies of ``rules.trust``: which CI jobs may act as it, as the fields of ``TrustPolicy``."""
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="service_account"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)

    class Meta:
        ordering: ClassVar = ["name", "uid"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "name"], name="tenancy_service_account_once"),
            one_of("service_account", "role", Role),
        ]

    def __str__(self) -> str:
        return f"{self.tenant}/{self.name}"
