"""Node pools on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, Flag, ListQuery, StrictSerializer, Text, choices
from portal.api.serializers.declared import DeclaredSerializer, MadeMetadata
from portal.api.serializers.hosts import amounts, labels
from tenancy.enums import PoolKind, Sandbox

if TYPE_CHECKING:
    from tenancy.models import NodePool


class PoolMetadata(MadeMetadata):
    """Which pool it is; all but the name is the server's."""

    name = Text(required=False, help_text="A DNS label of at most 40 characters.")
    host = serializers.CharField(source="host.name", read_only=True)


class PoolSpec(StrictSerializer):
    """What nodes belong to a pool, and whose it is; what is left out takes its default."""

    kind = serializers.ChoiceField(choices(PoolKind), default=PoolKind.SHARED.value)
    tenant = Text(
        source="tenant_name",
        default="",
        allow_blank=True,
        max_length=20,
        help_text="Whom a dedicated pool is assigned to. Another one means that its nodes are wiped.",
    )
    selector = labels("Labels a node must have to be put in.")
    tainted = Flag(default=True, help_text="Pods that are not meant for it are kept off by a taint.")
    sandboxes = serializers.ListField(
        child=serializers.ChoiceField(choices(Sandbox)),
        default=list,
        max_length=len(Sandbox),
        help_text="Profiles its nodes can run; empty for all that the host offers.",
    )
    accelerators = serializers.ListField(
        child=Text(max_length=63),
        default=list,
        max_length=20,
        help_text="Accelerator classes that are granted on its nodes; empty for all that they have.",
    )
    reserved = amounts("Devices that nobody is granted, by accelerator class.")


class PoolStatus(CamelSerializer):
    """What is in a pool."""

    observed_generation = serializers.SerializerMethodField(
        method_name="settled_generation",
        help_text="Behind `generation` while a node is on its way into the pool.",
    )
    effective = PoolSpec(source="*")
    nodes = serializers.SerializerMethodField()
    clusters = serializers.SerializerMethodField()

    @extend_schema_field(int)
    def settled_generation(self, pool: NodePool) -> int:
        """The rules of a pool are in force at once; its nodes take their time to be wiped."""
        return pool.generation - any(node.running for node in pool.nodes.all())  # type: ignore[attr-defined] # prefetched

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_nodes(self, pool: NodePool) -> list[str]:
        """Names of the nodes that are, or are about to be, in it."""
        return [node.name for node in pool.nodes.all()]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_clusters(self, pool: NodePool) -> list[str]:
        """The clusters that have it to themselves, as `tenant/name`."""
        return [str(cluster) for cluster in pool.clusters.all()]


class Pool(DeclaredSerializer):
    """Nodes of a host that are used alike."""

    metadata = PoolMetadata(source="*", required=False)
    spec = PoolSpec(source="*")
    status = PoolStatus(source="*", read_only=True)


class PoolFilters(ListQuery):
    """Which pools."""

    kind = serializers.ChoiceField(choices(PoolKind), required=False)


class TenantPool(CamelSerializer):
    """A pool as its tenant sees it."""

    name = serializers.CharField()
    host = serializers.CharField(source="host.name")
    kind = serializers.ChoiceField(choices(PoolKind))
    sandboxes = serializers.ListField(child=serializers.ChoiceField(choices(Sandbox)))
    accelerators = serializers.ListField(child=serializers.CharField())
    nodes = serializers.SerializerMethodField()

    @extend_schema_field(int)
    def get_nodes(self, pool: NodePool) -> int:
        """How many nodes the host has in it."""
        return sum(node.present for node in pool.nodes.all())
