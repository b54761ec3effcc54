from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from tenancy.enums import ConditionStatus, ConditionType, Phase, Reason, Sandbox
from tenancy.models.columns import choice_field, one_of
from tenancy.models.host import HostCluster
from tenancy.models.pool import NodePool
from tenancy.models.template import TemplateVersion
from tenancy.models.tenant import Tenant


class VirtualCluster(models.Model):
    """A tenant's cluster: what is wanted, and what was last seen of it."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="clusters")
    host = models.ForeignKey(HostCluster, on_delete=models.PROTECT, related_name="clusters")
    pool = models.ForeignKey(NodePool, on_delete=models.PROTECT, null=True, related_name="clusters")
    """The pool its pods run on, for life: its tenant's, or one with its accelerators; ``None`` for whichever all share."""
    name = models.CharField(max_length=24)
    namespace = models.CharField(max_length=63, unique=True)
    spec_text = models.TextField()
    """As written: keys, order and spellings are the writer's."""
    template_version = models.ForeignKey(
        TemplateVersion, on_delete=models.PROTECT, null=True, related_name="clusters"
    )
    """The version in use of the template that the spec names."""
    filled_text = models.TextField(blank=True)
    """The spec with its template filled in; empty where it names none."""
    generation = models.PositiveIntegerField(default=1)
    observed_generation = models.PositiveIntegerField(default=0)
    phase = choice_field(Phase, default=Phase.PENDING)
    endpoint = models.CharField(max_length=300, blank=True)
    sandbox = models.CharField(max_length=32, blank=True)
    """What was built last: a choice that the spec leaves to Atoll is made once."""
    guard_rails = models.JSONField(default=dict)
    """See ``tenancy.rules.drift.Established``; by kind and name in the host's namespace."""
    add_ons = models.JSONField(default=list)
    """See ``tenancy.rules.add_on_states.AddOnState``: what was last seen of each that was looked at; empty while it sleeps."""
    first_ready_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)
    deletion_requested_at = models.DateTimeField(null=True)
    deletion_requested_by = models.CharField(max_length=150, blank=True)
    quarantined_at = models.DateTimeField(null=True)
    quarantined_by = models.CharField(max_length=150, blank=True)
    quarantine_reason = models.CharField(max_length=500, blank=True)
    unasked = models.JSONField(default=dict)
    """Classes (uids) that it lacks and nobody was asked for yet, as the team has another request open → who wishes them."""
    access_epoch = models.PositiveIntegerField(default=0)
    """Counts the quarantines: credentials of an earlier epoch must be dead before access is offered."""

    class Meta:
        ordering: ClassVar = ["created_at", "uid"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "name"], name="tenancy_cluster_name_once"),
            models.CheckConstraint(
                condition=models.Q(observed_generation__lte=models.F("generation")),
                name="tenancy_cluster_observed_not_ahead",
            ),
            models.CheckConstraint(
                condition=models.Q(deletion_requested_at__isnull=True, deletion_requested_by="")
                | (models.Q(deletion_requested_at__isnull=False) & ~models.Q(deletion_requested_by="")),
                name="tenancy_cluster_deletion_paired",
            ),
            models.CheckConstraint(
                condition=models.Q(quarantined_at__isnull=True, quarantined_by="", quarantine_reason="")
                | (
                    models.Q(quarantined_at__isnull=False)
                    & ~models.Q(quarantined_by="")
                    & ~models.Q(quarantine_reason="")
                ),
                name="tenancy_cluster_quarantine_paired",
            ),
            models.CheckConstraint(
                condition=models.Q(template_version__isnull=True, filled_text="")
                | (models.Q(template_version__isnull=False) & ~models.Q(filled_text="")),
                name="tenancy_cluster_template_paired",
            ),
            one_of("cluster", "phase", Phase),
            models.CheckConstraint(
                condition=models.Q(sandbox__in=["", *(word.value for word in Sandbox)]),
                name="tenancy_cluster_sandbox_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant.name}/{self.name}"

    @property
    def deleting(self) -> bool:
        """Whether its end was asked for."""
        return self.deletion_requested_at is not None

    @property
    def quarantined(self) -> bool:
        """Whether an admin took it out of use."""
        return self.quarantined_at is not None


class ClusterCondition(models.Model):
    """One fact about a cluster; a row of its own so that two writers never lose an update."""

    cluster = models.ForeignKey(VirtualCluster, on_delete=models.CASCADE, related_name="conditions")
    type = choice_field(ConditionType)
    status = choice_field(ConditionStatus)
    reason = choice_field(Reason)
    message = models.TextField(blank=True)
    observed_generation = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField()
    """When ``status`` last flipped."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cluster", "type"], name="tenancy_condition_once"),
            one_of("condition", "type", ConditionType),
            one_of("condition", "status", ConditionStatus),
            one_of("condition", "reason", Reason),
        ]
        indexes: ClassVar = [models.Index(fields=["type", "status"], name="tenancy_condition_state")]

    def __str__(self) -> str:
        return f"{self.type}={self.status} ({self.reason})"
