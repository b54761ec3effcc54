from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from tenancy.grant_enums import AcceleratorKind
from tenancy.models.columns import choice_field, one_of
from tenancy.models.declared import Declared
from tenancy.models.pool import NodePool
from tenancy.models.tenant import Tenant


class AcceleratorClass(Declared):
    """A kind of device as people ask for it, and what it is on a host; with the policy for requests."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=40, unique=True)
    title = models.CharField(max_length=100, blank=True)
    kind = choice_field(AcceleratorKind, default=AcceleratorKind.EXTENDED_RESOURCE)
    resource = models.CharField(max_length=253)
    """Extended resource, or name of the DeviceClass."""
    labels = models.JSONField(default=dict)
    """Node labels of the model: two classes may share a resource name."""
    weight = models.PositiveIntegerField(default=1)
    """Units that one device counts in reports."""
    offered = models.BooleanField(default=True)
    """Whether new requests are taken."""
    auto_approve_up_to = models.PositiveIntegerField(default=0)
    """A tenant's devices in all up to which no admin is asked; 0 for never."""
    two_approvers_from = models.PositiveIntegerField(default=0)
    """Amount of one request from which two admins must agree; 0 for never."""
    default_days = models.PositiveIntegerField(default=30)
    """How long a request runs that a cluster makes."""
    longest_days = models.PositiveIntegerField(default=365)
    grace_seconds = models.PositiveIntegerField(default=900)
    """For pods to finish before they are ended, once a grant is over."""
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)

    class Meta:
        ordering: ClassVar = ["key"]
        constraints: ClassVar = [
            one_of("acceleratorclass", "kind", AcceleratorKind),
            models.CheckConstraint(condition=Q(weight__gte=1), name="tenancy_acceleratorclass_weight"),
            models.CheckConstraint(
                condition=Q(default_days__gte=1, default_days__lte=F("longest_days")),
                name="tenancy_acceleratorclass_days",
            ),
        ]

    def __str__(self) -> str:
        return self.key


class AcceleratorLimit(Declared):
    """The most that a tenant may be granted of a class, on all hosts together; none without a row."""

    uid = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="accelerator_limits")
    accelerator = models.ForeignKey(AcceleratorClass, on_delete=models.PROTECT, related_name="limits")
    amount = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "accelerator"], name="tenancy_limit_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: at most {self.amount} of {self.accelerator}"


class PoolBalance(models.Model):
    """What a pool has of a class and what of it is promised: the ledger's backstop, recomputed, never counted up.

    ``deficit`` moves with the inventory only, so that no approval can promise what is not there.
    """

    pool = models.ForeignKey(NodePool, on_delete=models.CASCADE, related_name="balances")
    accelerator = models.ForeignKey(AcceleratorClass, on_delete=models.CASCADE, related_name="balances")
    capacity = models.PositiveIntegerField(default=0)
    """Healthy, uncordoned, unreserved devices at the last look."""
    held = models.PositiveIntegerField(default=0)
    """The most that is promised on any day from today on."""
    deficit = models.PositiveIntegerField(default=0)
    """How much of it the inventory no longer covers."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["pool", "accelerator"], name="tenancy_balance_once"),
            models.CheckConstraint(
                condition=Q(held__lte=F("capacity") + F("deficit")), name="tenancy_balance_covered"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pool} {self.accelerator}: {self.held} of {self.capacity}"
