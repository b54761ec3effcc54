"""What a tenant may choose, on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, choices
from tenancy.enums import IsolationModel, Persistence, Sandbox, Trust
from tenancy.rules.runtimes import overhead_to_json

if TYPE_CHECKING:
    from tenancy.rules.offers import SandboxOffer as ProfileOffer


class Overhead(CamelSerializer):
    """What the sandbox takes for each pod; the cluster's amounts pay for it."""

    cpu = serializers.CharField()
    memory = serializers.CharField()


class SandboxOffer(CamelSerializer):
    """A sandbox profile for this tenant."""

    name = serializers.ChoiceField(choices(Sandbox), source="profile.sandbox")
    title = serializers.CharField(source="profile.title")
    promise = serializers.CharField(source="profile.promise")
    proof = serializers.CharField(source="profile.proof", help_text="What a probe in it must see.")
    offered = serializers.SerializerMethodField()
    code = serializers.CharField(help_text="`not-trusted`, `not-offered`, or empty when it is offered.")
    reason = serializers.CharField(source="why_not", help_text="Why it is not offered.")
    nearest = serializers.ChoiceField(
        choices(Sandbox), allow_null=True, help_text="What to take in its place."
    )
    runtime_class = serializers.CharField(source="facts.runtime_class")
    overhead_per_pod = serializers.SerializerMethodField(method_name="overhead")
    accelerators = serializers.DictField(
        child=serializers.CharField(allow_blank=True),
        source="facts.accelerators",
        help_text="Extended resource → why pods of this sandbox cannot use it; empty when they can.",
    )

    @extend_schema_field(bool)
    def get_offered(self, offer: ProfileOffer) -> bool:
        """Whether the tenant may choose it."""
        return not offer.code

    @extend_schema_field(Overhead)
    def overhead(self, offer: ProfileOffer) -> dict[str, str]:
        """As Kubernetes writes it."""
        return overhead_to_json(offer.facts.overhead)


class ModelOffer(CamelSerializer):
    """An isolation model for this tenant."""

    name = serializers.ChoiceField(choices(IsolationModel), source="model")
    offered = serializers.SerializerMethodField()
    reason = serializers.CharField(help_text="Why it is not offered.")
    sandboxes = SandboxOffer(many=True, help_text="Strongest first; none before the host was looked at.")

    def get_offered(self, offer: object) -> bool:
        """Whether the tenant may choose it."""
        return not getattr(offer, "reason", "")


class HostOffer(CamelSerializer):
    """What one host offers this tenant."""

    name = serializers.CharField(source="host.name")
    preferred = serializers.BooleanField(help_text="A cluster made now lands there.")
    known = serializers.BooleanField(help_text="False before the host was looked at: a cluster waits for it.")
    kubernetes_versions = serializers.ListField(
        child=serializers.CharField(), source="versions", help_text="Newest first; the first is the default."
    )
    models = ModelOffer(many=True)
    persistences = serializers.ListField(
        child=serializers.ChoiceField(choices(Persistence)), help_text="The first is the default."
    )


class Offers(CamelSerializer):
    """What a tenant may choose today; what is left out of a spec, Atoll chooses."""

    tenant = serializers.CharField(source="tenant.name")
    trust = serializers.ChoiceField(choices(Trust), source="tenant.trust")
    hosts = HostOffer(many=True)
