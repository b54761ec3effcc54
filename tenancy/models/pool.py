from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from tenancy.enums import PoolKind
from tenancy.models.columns import choice_field, one_of
from tenancy.models.declared import Declared
from tenancy.models.host import HostCluster
from tenancy.models.tenant import Tenant


class NodePool(Declared):
    """Nodes of a host that are used alike: by all tenants, or by the one they are assigned to."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.ForeignKey(HostCluster, on_delete=models.PROTECT, related_name="pools")
    name = models.CharField(max_length=40)
    kind = choice_field(PoolKind)
    selector = models.JSONField(default=dict)
    """Labels a node must have to be put in."""
    tainted = models.BooleanField(default=True)
    """Pods that are not meant for the pool are kept off by a taint; always so for a dedicated one."""
    sandboxes = models.JSONField(default=list)
    """Profiles its nodes can run; empty for all that the host offers."""
    accelerators = models.JSONField(default=list)
    """Keys of the accelerator classes that are granted here; empty for all that its nodes have."""
    reserved = models.JSONField(default=dict)
    """Devices of a class that are granted to nobody: key → how many."""
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, related_name="pools")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)

    class Meta:
        ordering: ClassVar = ["name", "uid"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host", "name"], name="tenancy_pool_name_once"),
            one_of("pool", "kind", PoolKind),
            models.CheckConstraint(
                condition=models.Q(kind=PoolKind.DEDICATED.value) | models.Q(tenant__isnull=True),
                name="tenancy_pool_tenant_of_dedicated",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=PoolKind.SHARED.value) | models.Q(tainted=True),
                name="tenancy_pool_dedicated_tainted",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def tenant_name(self) -> str:
        """Whom it is assigned to; empty for nobody."""
        return self.tenant.name if self.tenant else ""
