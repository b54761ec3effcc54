from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from tenancy.grant_enums import ReclaimCause, RequestKind, RequestState
from tenancy.models.accelerator import AcceleratorClass
from tenancy.models.cluster import VirtualCluster
from tenancy.models.columns import choice_field, one_of
from tenancy.models.pool import NodePool
from tenancy.models.tenant import Tenant
from tenancy.rules.requests import OPEN


class Grant(models.Model):
    """Devices of one class in one pool that a tenant may use from one day until another, in UTC."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="grants")
    accelerator = models.ForeignKey(AcceleratorClass, on_delete=models.PROTECT, related_name="grants")
    pool = models.ForeignKey(NodePool, on_delete=models.PROTECT, related_name="grants")
    amount = models.PositiveIntegerField()
    starts_on = models.DateField()
    ends_on = models.DateField()
    """Exclusive."""
    activated_at = models.DateTimeField(null=True)
    """When its day had come and its devices were free of the one before."""
    ended_at = models.DateTimeField(null=True)
    """When the ladder began: it gives nothing from here on, and counts until it is closed."""
    cause = choice_field(ReclaimCause, default=ReclaimCause.EXPIRED)
    ended_by = models.CharField(max_length=150, blank=True)
    deadline = models.DateTimeField(null=True)
    """When pods that still hold its devices are ended."""
    reminded = models.PositiveSmallIntegerField(null=True)
    """Days before the end of the last reminder."""
    closed_at = models.DateTimeField(null=True)
    """When its devices were seen back; it counts no more."""
    receipt = models.TextField(blank=True)
    """What came back, when, and what was seen on the host; as JWS."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "uid"]
        constraints: ClassVar = [
            one_of("grant", "cause", ReclaimCause),
            models.CheckConstraint(condition=Q(amount__gte=1), name="tenancy_grant_amount"),
            models.CheckConstraint(condition=Q(ends_on__gt=F("starts_on")), name="tenancy_grant_days"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, deadline__isnull=True)
                | Q(ended_at__isnull=False, deadline__isnull=False),
                name="tenancy_grant_deadline_of_ended",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | (Q(ended_at__isnull=False) & ~Q(receipt="")),
                name="tenancy_grant_closed_with_receipt",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["pool", "accelerator"],
                condition=Q(closed_at__isnull=True),
                name="tenancy_grant_counts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.accelerator} for {self.tenant} until {self.ends_on}"


class GrantRequest(models.Model):
    """A tenant's wish for devices, and what became of it."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="grant_requests")
    accelerator = models.ForeignKey(AcceleratorClass, on_delete=models.PROTECT, related_name="requests")
    kind = choice_field(RequestKind, default=RequestKind.GRANT)
    pool = models.ForeignKey(NodePool, on_delete=models.PROTECT, null=True, related_name="requests")
    """Where; ``None`` leaves it to the approver."""
    extends = models.ForeignKey(Grant, on_delete=models.PROTECT, null=True, related_name="extensions")
    amount = models.PositiveIntegerField()
    starts_on = models.DateField()
    ends_on = models.DateField()
    """Exclusive."""
    justification = models.TextField()
    for_clusters = models.BooleanField(default=False)
    """Made by clusters that lack devices: its amount follows what all of them lack."""
    lacked = models.PositiveIntegerField(default=0)
    """What they lacked when its amount last followed: an offer of less stands until that changes."""
    state = choice_field(RequestState, default=RequestState.REQUESTED)
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    asked_by = models.JSONField(default=list)
    """Who made it, changed it or took an offer: none of them decides. Usernames, which nobody can change."""
    changed_at = models.DateTimeField()
    endorsed_by = models.CharField(max_length=150, blank=True)
    """The admin who agreed to the terms as they stand; approval by another one may be needed."""
    decided_by = models.CharField(max_length=150, blank=True)
    decision = models.TextField(blank=True)
    """The reason that the last decision gave."""
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, null=True, related_name="requests")
    """What came of it."""

    class Meta:
        ordering: ClassVar = ["-requested_at", "uid"]
        constraints: ClassVar = [
            one_of("grantrequest", "kind", RequestKind),
            one_of("grantrequest", "state", RequestState),
            models.CheckConstraint(condition=Q(amount__gte=1), name="tenancy_grantrequest_amount"),
            models.CheckConstraint(condition=Q(ends_on__gt=F("starts_on")), name="tenancy_grantrequest_days"),
            models.UniqueConstraint(
                fields=["tenant", "accelerator"],
                condition=Q(state__in=[state.value for state in sorted(OPEN)]),
                name="tenancy_grantrequest_one_open",
            ),
            models.CheckConstraint(
                condition=Q(state=RequestState.APPROVED.value, grant__isnull=False)
                | (~Q(state=RequestState.APPROVED.value) & Q(grant__isnull=True)),
                name="tenancy_grantrequest_approved_has_grant",
            ),
            models.CheckConstraint(
                condition=Q(decided_by="")
                | ~Q(decided_by=F("requested_by"))
                | ~Q(state=RequestState.APPROVED.value),
                name="tenancy_grantrequest_four_eyes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.accelerator} for {self.tenant}: {self.state}"


class Allocation(models.Model):
    """A tenant's devices that one of its clusters has; the tenant's grants in that pool cover it."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="allocations")
    accelerator = models.ForeignKey(AcceleratorClass, on_delete=models.PROTECT, related_name="allocations")
    pool = models.ForeignKey(NodePool, on_delete=models.PROTECT, related_name="allocations")
    cluster = models.ForeignKey(
        VirtualCluster, on_delete=models.SET_NULL, null=True, related_name="allocations"
    )
    target = models.PositiveIntegerField()
    """What the host's quota is to be."""
    held = models.PositiveIntegerField()
    """What counts: more than ``target`` until the host was seen to hold no more than that."""
    rungs = models.JSONField(default=dict)
    """Of a cluster that must give devices back: rung of the ladder → when, and what was seen."""
    steps = models.JSONField(default=list)
    """By when it is to hold no more than how many, as grants end; what no step asks for may be held on."""
    returns = models.JSONField(default=list)
    """What was given back of grants that are over, with what was seen on the host: their receipts are made of it."""
    used = models.JSONField(default=dict)
    """Node → devices that pods of the cluster held at the last look at the host."""
    created_at = models.DateTimeField(auto_now_add=True)
    released_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["created_at", "uid"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["cluster", "accelerator"],
                condition=Q(released_at__isnull=True),
                name="tenancy_allocation_one_open",
            ),
            models.CheckConstraint(condition=Q(target__lte=F("held")), name="tenancy_allocation_host_first"),
            models.CheckConstraint(
                condition=Q(released_at__isnull=True, held__gte=1) | Q(released_at__isnull=False, held=0),
                name="tenancy_allocation_released_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.held} {self.accelerator} of {self.tenant}"
