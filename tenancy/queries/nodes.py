"""Reads of host clusters' nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy.models import Node
from tenancy.rules import nodes

if TYPE_CHECKING:
    from uuid import UUID

    from tenancy.rules.nodes import NodeFacts


def seen(host_uid: UUID) -> tuple[NodeFacts, ...]:
    """What is known of a host's nodes, by name."""
    rows = Node.objects.filter(host_id=host_uid)
    return tuple(nodes.from_json(facts) for facts in rows.values_list("facts", flat=True))
