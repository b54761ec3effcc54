from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from tenancy.enums import AccessState, Role
from tenancy.models.cluster import VirtualCluster
from tenancy.models.columns import choice_field, one_of
from tenancy.models.tenant import Tenant


class ApiToken(models.Model):
    """A bearer token of a user or service account; only its digest is kept."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="api_tokens")
    """Bound to this tenant; ``None`` for whatever the user may reach."""
    name = models.CharField(max_length=60)
    prefix = models.CharField(max_length=16)
    """The first characters, to recognise it by."""
    digest = models.CharField(max_length=64, unique=True)
    """SHA-256, hexadecimal."""
    scopes = models.JSONField(null=True)
    """Patterns of ``rules.scopes``, as they were asked for; ``None`` for all."""
    read_only = models.BooleanField(default=False)
    successor = models.OneToOneField("self", on_delete=models.SET_NULL, null=True, related_name="predecessor")
    """What it was rotated to."""
    decides = models.BooleanField(default=False)
    """Made for decisions over others (``policy.STEP_UP``)."""
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150, blank=True)
    """Who made it; for a service account's it is somebody else."""
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "uid"]

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.user}"


class AccessRequest(models.Model):
    """A kubeconfig that somebody waits for; handed over once, sealed, then gone."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(VirtualCluster, on_delete=models.CASCADE, related_name="access_requests")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    role = choice_field(Role)
    lifetime = models.PositiveIntegerField()
    """Seconds the credential shall live."""
    state = choice_field(AccessState, default=AccessState.PENDING)
    sealed = models.TextField(blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    wanted_until = models.DateTimeField()
    """After this the row is swept."""
    credential_expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            one_of("access", "state", AccessState),
            one_of("access", "role", Role),
        ]

    def __str__(self) -> str:
        return f"kubeconfig of {self.cluster_id} for {self.user}: {self.state}"


class IdempotencyRecord(models.Model):
    """The stored answer to a request with an ``Idempotency-Key``."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    """SHA-256 over method, path and body."""
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], name="tenancy_idempotency_once"),
        ]

    def __str__(self) -> str:
        return f"{self.key} of {self.user}"
