from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from tenancy.enums import ActorSource, FindingKind
from tenancy.models.cluster import VirtualCluster
from tenancy.models.columns import choice_field, one_of


class Finding(models.Model):
    """Something amiss that the provisioner saw on a host, until it saw it put right.

    Names are kept as text: a finding outlives the cluster it is about.
    """

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(max_length=40)
    namespace = models.CharField(max_length=63, blank=True)
    """On the host; empty for what concerns the whole host."""
    tenant = models.CharField(max_length=20, blank=True)
    cluster_name = models.CharField(max_length=24, blank=True)
    cluster = models.ForeignKey(VirtualCluster, on_delete=models.SET_NULL, null=True, related_name="findings")
    kind = choice_field(FindingKind)
    subject = models.CharField(max_length=330)
    details = models.JSONField(default=list)
    """Paths with what was wanted and what was seen."""
    next_step = models.TextField(blank=True)
    actor = models.CharField(max_length=300, blank=True)
    """Empty when nobody can tell."""
    actor_source = choice_field(ActorSource)
    evidence = models.JSONField(default=dict)
    """Verb, time and source addresses of the audit log's entry."""
    noticed_at = models.DateTimeField()
    restored_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-noticed_at", "-uid"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["host", "namespace", "subject"],
                condition=models.Q(restored_at__isnull=True),
                name="tenancy_finding_open_once",
            ),
            models.CheckConstraint(
                condition=models.Q(restored_at__isnull=True)
                | models.Q(restored_at__gte=models.F("noticed_at")),
                name="tenancy_finding_restored_after",
            ),
            one_of("finding", "kind", FindingKind),
            one_of("finding", "actor_source", ActorSource),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "cluster_name"], name="tenancy_finding_cluster")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} ({self.namespace or self.host})"
