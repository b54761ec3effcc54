"""Nodes of host clusters, and their moves between pools, on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, Flag, ListQuery, StrictSerializer, Text, choices
from portal.api.serializers.operations import Step
from tenancy.enums import OperationState

if TYPE_CHECKING:
    from tenancy.models import Node as NodeRow
    from tenancy.models import NodeMove


class Move(CamelSerializer):
    """A recorded change of a node's pool or tenant."""

    id = serializers.UUIDField(source="uid")
    state = serializers.ChoiceField(choices(OperationState))
    from_pool = serializers.CharField(source="source", allow_blank=True, help_text="Empty for none.")
    to_pool = serializers.CharField(source="target", allow_blank=True, help_text="Empty for none.")
    tenant_before = serializers.CharField(allow_blank=True)
    tenant_after = serializers.CharField(allow_blank=True)
    cause = serializers.CharField()
    discard_volumes = serializers.BooleanField()
    steps = Step(many=True)
    evidence = serializers.JSONField(
        help_text="What was read from the host before and after the wipe, and the wipe's own report."
    )
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    finished_at = serializers.DateTimeField(allow_null=True)


class NodeMetadata(CamelSerializer):
    """Which node it is."""

    name = serializers.CharField()
    host = serializers.CharField(source="host.name")
    uid = serializers.UUIDField()


class NodeStatus(CamelSerializer):
    """What was last seen of a node, and how far its move is."""

    present = serializers.BooleanField(help_text="Whether the host has it now.")
    pool = serializers.CharField(
        source="pool.name",
        default="",
        allow_blank=True,
        help_text="Where it is, or is to be; empty for none.",
    )
    tenant = serializers.CharField(source="pool.tenant_name", default="", allow_blank=True)
    holder = serializers.SerializerMethodField(
        help_text="Whose remains may be on it: a tenant, `several`, or empty for a wiped one."
    )
    move = serializers.SerializerMethodField(method_name="running_move", help_text="The move at work.")
    facts = serializers.JSONField(help_text="Labels, taints, kernel, runtime and resources, as last read.")
    seen_at = serializers.DateTimeField()

    @extend_schema_field(str)
    def get_holder(self, node: NodeRow) -> str:
        """By name."""
        return str(self.context["holders"][node.holder])

    @extend_schema_field(Move(allow_null=True))
    def running_move(self, node: NodeRow) -> dict[str, Any] | None:
        """None when it is where it is to be."""
        found: list[NodeMove] = getattr(node, "running", [])
        return dict(Move(found[0]).data) if found else None


class Node(CamelSerializer):
    """A node of a host cluster."""

    metadata = NodeMetadata(source="*")
    status = NodeStatus(source="*")


class NodeFilters(ListQuery):
    """Which nodes."""

    pool = serializers.CharField(required=False, max_length=63)


class MoveWish(StrictSerializer):
    """Where a node is to be."""

    pool = Text(allow_null=True, max_length=40, help_text="A pool of the host; null for none.")
    discard_volumes = Flag(
        default=False,
        help_text="Delete claims of living clusters on it, with their data, instead of waiting.",
    )
