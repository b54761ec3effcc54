"""What GPU nodes are exposed to, on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, choices
from tenancy.enums import GpuComponent, GpuVerdict, Severity, Trust, VersionSource
from tenancy.queries import gpu

if TYPE_CHECKING:
    from tenancy.models import HostCluster

_COMPONENT = choices(GpuComponent)
_VERDICT = choices(GpuVerdict)


class GpuVersion(CamelSerializer):
    """A version, and who told it."""

    version = serializers.CharField(help_text="Empty when only a digest was to be seen.")
    told_by = serializers.ChoiceField(choices(VersionSource), source="source")
    detail = serializers.CharField(help_text="Which pod and image, ClusterPolicy or label.")


class GpuPart(CamelSerializer):
    """A component of a node's GPU software."""

    component = serializers.ChoiceField(_COMPONENT)
    found = GpuVersion(allow_null=True, help_text="null: nothing tells of it.")


class GpuFinding(CamelSerializer):
    """A vulnerability that a node has."""

    cve = serializers.CharField()
    title = serializers.CharField()
    severity = serializers.ChoiceField(choices(Severity))
    reference = serializers.CharField(source="source")
    component = serializers.ChoiceField(_COMPONENT)
    version = serializers.CharField()
    fixed = serializers.CharField()


class GpuCure(CamelSerializer):
    """The lowest version that no advisory names."""

    component = serializers.ChoiceField(_COMPONENT)
    to = serializers.CharField()


class GpuNode(CamelSerializer):
    """A node with accelerators."""

    name = serializers.CharField()
    resources = serializers.DictField(child=serializers.IntegerField())
    verdict = serializers.ChoiceField(
        _VERDICT, help_text="Untrusted tenants get devices of clean nodes only."
    )
    why = serializers.CharField()
    in_force = serializers.CharField(
        allow_blank=True, help_text="The verdict the host goes by; empty for none, which closes the node."
    )
    stack = GpuPart(many=True)
    cdi = serializers.BooleanField(allow_null=True, help_text="Whether devices come by CDI; null: not known.")
    findings = GpuFinding(many=True)
    upgrade = GpuCure(many=True)
    notes = serializers.ListField(child=serializers.CharField())


class GpuTenant(CamelSerializer):
    """A cluster with GPU pods on a node that is not clean, or that may get some there."""

    tenant = serializers.CharField(source="tenancy.tenant")
    cluster = serializers.CharField(source="tenancy.cluster")
    namespace = serializers.CharField(source="tenancy.namespace")
    trust = serializers.ChoiceField(choices(Trust), source="tenancy.trust")
    node = serializers.CharField()
    verdict = serializers.ChoiceField(_VERDICT)
    pods = serializers.ListField(child=serializers.CharField(), source="tenancy.pods")
    evidence = serializers.CharField(source="tenancy.evidence")


class GpuExposure(CamelSerializer):
    """The GPU nodes of a host and the tenants concerned, as last seen there."""

    host = serializers.CharField()
    seen_at = serializers.DateTimeField(allow_null=True)
    reviewed = serializers.DateField(help_text="When somebody last made sure of the list of advisories.")
    age_days = serializers.IntegerField(help_text="Days since then.")
    advisories = serializers.IntegerField(help_text="How many are in the list.")
    fault = serializers.CharField(allow_blank=True, help_text="Why an admin's own list cannot be read.")
    nodes = GpuNode(many=True)
    tenants = GpuTenant(many=True)

    def to_representation(self, instance: HostCluster) -> dict[str, Any]:
        """A host's row, judged by the advisories of this moment."""
        return super().to_representation(gpu.exposure(instance))
