"""Cluster templates on the wire."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import (
    CamelSerializer,
    Flag,
    ListQuery,
    StrictSerializer,
    Text,
    choices,
)
from portal.api.serializers.clusters import SpecText
from portal.api.serializers.declared import Change, DeclaredSerializer, DeclaredStatus, MadeMetadata, Plan
from tenancy.queries import impact
from tenancy.rules.templates import FIELDS, GROUPS, NOTES_MAX
from tenancy.template_enums import TemplateVerdict, VersionState

if TYPE_CHECKING:
    from tenancy.actions.templates import Plan as PlanMade
    from tenancy.models import ClusterTemplate, VirtualCluster
    from tenancy.models import TemplateVersion as Version
    from tenancy.queries.impact import Impact


class TemplateMetadata(MadeMetadata):
    """Which template it is; all but the name is the server's."""

    name = Text(required=False, help_text="A DNS label of at most 40 characters.")


class TemplateSpec(StrictSerializer):
    """Who may use a template."""

    description = Text(default="", allow_blank=True, max_length=500)
    deprecated = Flag(default=False, help_text="It works, and people are told to take another one.")
    tenants = serializers.ListField(
        source="named",
        child=Text(max_length=20),
        default=None,
        allow_null=True,
        max_length=1000,
        help_text="Who may use it; everybody where it is left out. Clusters keep what they have.",
    )


class TemplateStatus(DeclaredStatus):
    """What is there of it."""

    effective = TemplateSpec(source="*")
    versions = serializers.SerializerMethodField(help_text="Newest first, but for those that were yanked.")

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_versions(self, template: ClusterTemplate) -> list[str]:
        """Those that may be begun with."""
        return [v.name for v in template.versions.all() if v.state != VersionState.YANKED]


class Template(DeclaredSerializer):
    """What admins offer teams to begin a cluster with."""

    metadata = TemplateMetadata(source="*", required=False)
    spec = TemplateSpec(source="*")
    status = TemplateStatus(source="*", read_only=True)


class TemplateFilters(ListQuery):
    """Which templates."""

    deprecated = serializers.BooleanField(required=False)


class VersionMetadata(MadeMetadata):
    """Which version of which template."""

    template = Text(required=False, source="template.name")
    version = Text(required=False, source="name", help_text="Three numbers, as `1.2.0`.")


_FIELDS = [(field, field) for field in (*GROUPS, *FIELDS)]


class VersionSpec(CamelSerializer):
    """The content of a version, which never changes but for its state; it comes back exactly as it was written."""

    cluster = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        help_text='The spec of a cluster; `{"$param": NAME}` stands in place of a value.',
    )
    parameters = serializers.DictField(
        child=serializers.JSONField(),
        required=False,
        help_text="JSON Schema (2020-12) of type object: typed, constrained values, see docs/templates.md.",
    )
    locked = serializers.ListField(
        child=serializers.ChoiceField(_FIELDS),
        required=False,
        allow_null=True,
        help_text="Fields that are the template's alone.",
    )
    overridable = serializers.ListField(
        child=serializers.ChoiceField(_FIELDS),
        required=False,
        allow_null=True,
        help_text="Instead of `locked`: the only fields that clusters may set themselves.",
    )
    state = serializers.ChoiceField(choices(VersionState), required=False)
    notes = serializers.CharField(required=False, allow_blank=True, max_length=NOTES_MAX)


@extend_schema_field(VersionSpec)
class VersionSpecField(SpecText):
    """``tenancy.rules`` reads it, and what was written is given back."""


class VersionStatus(DeclaredStatus):
    """What became of it."""

    state = serializers.ChoiceField(choices(VersionState))


class TemplateVersion(DeclaredSerializer):
    """One version of a template."""

    metadata = VersionMetadata(source="*", required=False)
    spec = VersionSpecField(source="spec_text")
    status = VersionStatus(source="*", read_only=True)

    @classmethod
    def meaning(cls, row: Version) -> dict[str, Any]:  # type: ignore[override] # of this kind of row
        """Nothing is filled in: a version means what it says."""
        found: dict[str, Any] = json.loads(row.spec_text)
        return found


class VersionFilters(ListQuery):
    """Which versions."""

    state = serializers.ChoiceField(choices(VersionState), required=False)


class TemplateImpact(CamelSerializer):
    """What a version means for one cluster that stands on the template."""

    tenant = serializers.CharField(source="cluster.tenant.name")
    cluster = serializers.CharField(source="cluster.name")
    version = serializers.CharField(source="cluster.template_version.name", help_text="In use.")
    asked = serializers.CharField(help_text="The version or range that its spec asks for.")
    verdict = serializers.ChoiceField(choices(TemplateVerdict))
    message = serializers.CharField(allow_blank=True, help_text="Why, for people.")
    changes = serializers.SerializerMethodField(help_text="Effective values that would be others.")

    @extend_schema_field(Change(many=True))
    def get_changes(self, found: Impact) -> list[dict[str, Any]]:
        """Each with both values."""
        return [{"path": path, "old": old, "new": new} for path, old, new in found.changes]

    def to_representation(self, instance: VirtualCluster) -> dict[str, Any]:
        """Of a cluster, for the version that the view weighs."""
        return super().to_representation(impact.of(instance, self.context["version"]))


class VersionPlan(Plan):
    """What publishing would do; nothing was done."""

    impact = serializers.SerializerMethodField(help_text="Of at most 100 clusters, oldest first.")

    @extend_schema_field(TemplateImpact(many=True))
    def get_impact(self, plan: PlanMade) -> list[dict[str, Any]]:
        """As ``…/impact`` tells it once it is published."""
        return list(TemplateImpact(plan.clusters, many=True, context={"version": plan.version}).data)
