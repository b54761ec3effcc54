from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from tenancy.enums import OperationState
from tenancy.models.columns import choice_field, one_of
from tenancy.models.host import HostCluster
from tenancy.models.pool import NodePool
from tenancy.rules.pools import SEVERAL


class Node(models.Model):
    """A node of a host cluster: as the provisioner last saw it, and which pool it is to be in."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.ForeignKey(HostCluster, on_delete=models.CASCADE, related_name="nodes")
    name = models.CharField(max_length=253)
    facts = models.JSONField()
    """See ``tenancy.rules.nodes.NodeFacts``."""
    seen_at = models.DateTimeField()
    present = models.BooleanField(default=True)
    """False: the host has no such node now; what is known of its disk is kept until it comes back."""
    pool = models.ForeignKey(NodePool, on_delete=models.PROTECT, null=True, related_name="nodes")
    """Where it is to be."""
    holder = models.CharField(max_length=36, default=SEVERAL, blank=True)
    """Whose remains may be on it: a tenant's uid, ``SEVERAL``, or empty for a wiped one."""

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host", "name"], name="tenancy_node_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class NodeMove(models.Model):
    """The recorded change of a node's pool or tenant: who wanted it, and what was seen of the wipe.

    Pools and tenants by name: the record outlives them.
    """

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="moves")
    state = choice_field(OperationState, default=OperationState.RUNNING)
    source = models.CharField(max_length=40, blank=True)
    """Pool it leaves; empty for none."""
    target = models.CharField(max_length=40, blank=True)
    """Pool it goes to; empty for none."""
    tenant_before = models.CharField(max_length=20, blank=True)
    tenant_after = models.CharField(max_length=20, blank=True)
    cause = models.CharField(max_length=200)
    """Why, in words for people."""
    discard_volumes = models.BooleanField(default=False)
    """Claims of living clusters on the node are deleted with their data."""
    handed_over = models.BooleanField(default=False)
    """The node's holder is the next one; what is left is to mark it as such on the host."""
    steps = models.JSONField(default=list)
    """As of ``Operation``."""
    evidence = models.JSONField(default=dict)
    """What was read from the host before and after the wipe, and the wipe's own report."""
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "uid"]
        constraints: ClassVar = [
            one_of("move", "state", OperationState),
            models.UniqueConstraint(
                fields=["node"],
                condition=models.Q(state=OperationState.RUNNING.value),
                name="tenancy_move_one_running",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.node}: {self.source or 'no pool'} → {self.target or 'no pool'} ({self.state})"
