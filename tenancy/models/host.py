from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from tenancy.enums import ConditionStatus, Exposure, Reason
from tenancy.models.columns import choice_field, one_of
from tenancy.models.declared import Declared


class HostCluster(Declared):
    """A Kubernetes cluster that carries tenants' virtual clusters.

    Holds how to reach it, never a credential: ``kubeconfig`` names a file or an
    environment variable of the workers.
    """

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=40, unique=True)
    kubeconfig = models.CharField(max_length=500)
    exposure = choice_field(Exposure, default=Exposure.CLUSTER_IP)
    client_cidrs = models.JSONField(default=list)
    image_prefix = models.CharField(max_length=200, blank=True)
    kubernetes_versions = models.JSONField(default=list)
    control_plane_selector = models.JSONField(default=dict)
    workload_selector = models.JSONField(default=dict)
    allowed_registries = models.JSONField(default=list)
    require_digests = models.BooleanField(default=False)
    progress_file = models.CharField(max_length=500, blank=True)
    audit_log = models.CharField(max_length=500, blank=True)
    accepts_clusters = models.BooleanField(default=True)
    # Observed, by the provisioner only:
    reachable = choice_field(ConditionStatus, default=ConditionStatus.UNKNOWN)
    reason = choice_field(Reason, default=Reason.NOT_YET_REPORTED)
    message = models.TextField(blank=True)
    facts = models.JSONField(default=dict)
    guard_rails = models.JSONField(default=dict)
    """See ``tenancy.rules.drift.Established``; by kind and name on the host."""
    seen_at = models.DateTimeField(null=True)
    observed_generation = models.PositiveIntegerField(default=0)
    """Of the registration by which it was last looked at."""
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)

    class Meta:
        ordering: ClassVar = ["created_at", "name"]
        constraints: ClassVar = [
            one_of("host", "exposure", Exposure),
            one_of("host", "reachable", ConditionStatus),
            models.CheckConstraint(
                condition=models.Q(observed_generation__lte=models.F("generation")),
                name="tenancy_host_observed_not_ahead",
            ),
        ]

    def __str__(self) -> str:
        return self.name
