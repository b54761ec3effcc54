from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from tenancy.models.host import HostCluster


class Node(models.Model):
    """A node of a host cluster, as the provisioner last saw it; written by observations."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.ForeignKey(HostCluster, on_delete=models.CASCADE, related_name="nodes")
    name = models.CharField(max_length=253)
    facts = models.JSONField()
    """See ``tenancy.rules.nodes.NodeFacts``."""
    seen_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host", "name"], name="tenancy_node_name_once"),
        ]

    def __str__(self) -> str:
        return self.name
