"""Host clusters on the wire."""

from __future__ import annotations

from rest_framework import serializers

from portal.api.serializers.base import (
    DEVICES_MAX,
    CamelSerializer,
    Count,
    Flag,
    ListQuery,
    StrictSerializer,
    Text,
    choices,
)
from portal.api.serializers.declared import DeclaredSerializer, MadeMetadata
from tenancy.enums import ConditionStatus, Exposure, Reason
from tenancy.rules.offers import DEFAULT_VERSION


class HostMetadata(MadeMetadata):
    """Who a host cluster is; all but the name is the server's."""

    name = Text(required=False)


def labels(help_text: str) -> serializers.DictField:
    """Node labels that a node must have."""
    return serializers.DictField(
        child=Text(allow_blank=True, max_length=63), default=dict, help_text=help_text
    )


def amounts(help_text: str) -> serializers.DictField:
    """Devices of each accelerator class."""
    return serializers.DictField(
        child=Count(min_value=0, max_value=DEVICES_MAX), default=dict, help_text=help_text
    )


class HostSpec(StrictSerializer):
    """How to reach a host cluster, and what it offers."""

    kubeconfig = Text(
        max_length=500,
        help_text="Where the workers find the credential: `file:/path`, `env:NAME` or `in-cluster`; never itself.",
    )
    exposure = serializers.ChoiceField(choices(Exposure), default=Exposure.CLUSTER_IP.value)
    client_cidrs = serializers.ListField(
        child=Text(max_length=50),
        default=list,
        max_length=100,
        help_text="Where people and the workers come from, as the host's network policies see them; a node that"
        " passes a connection on (node ports, most load balancers) puts its own address on it.",
    )
    image_prefix = Text(default="", allow_blank=True, max_length=200, help_text="A mirror of the registries.")
    kubernetes_versions = serializers.ListField(
        child=Text(max_length=20), default=lambda: [DEFAULT_VERSION], max_length=20
    )
    control_plane_selector = labels("Nodes for tenants' control planes.")
    workload_selector = labels("Nodes for tenants' pods.")
    allowed_registries = serializers.ListField(
        child=Text(max_length=200),
        default=list,
        max_length=100,
        help_text="Where tenants' images may come from, as `ghcr.io` or `docker.io/library`; empty for anywhere.",
    )
    require_digests = Flag(default=False, help_text="Tenants' images are named by digest.")
    progress_file = Text(default="", allow_blank=True, max_length=500)
    audit_log = Text(
        default="",
        allow_blank=True,
        max_length=500,
        help_text="Its API server's audit log as the workers read it, `file:/path`: tells who changed a guard rail.",
    )
    accepts_clusters = Flag(default=True)

    @staticmethod
    def wire(name: str) -> str:
        """``clientCIDRs`` as Kubernetes would spell it."""
        return "clientCIDRs" if name == "client_cidrs" else CamelSerializer.wire(name)


class HostStatus(CamelSerializer):
    """What was last seen of a host cluster."""

    observed_generation = serializers.IntegerField(
        help_text="The generation by which it was last looked at; what follows tells of that one."
    )
    effective = HostSpec(source="*")

    reachable = serializers.ChoiceField(choices(ConditionStatus))
    reason = serializers.ChoiceField(choices(Reason))
    message = serializers.CharField(allow_blank=True)
    facts = serializers.JSONField(help_text="Versions, runtime classes, storage classes, networks, nodes.")
    seen_at = serializers.DateTimeField(allow_null=True)


class Host(DeclaredSerializer):
    """A Kubernetes cluster that carries virtual clusters."""

    metadata = HostMetadata(source="*", required=False)
    spec = HostSpec(source="*")
    status = HostStatus(source="*", read_only=True)


class HostFilters(ListQuery):
    """Which hosts."""

    name = serializers.CharField(required=False, max_length=63)
    reachable = serializers.ChoiceField(choices(ConditionStatus), required=False)
