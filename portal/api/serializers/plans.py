"""What a write of a cluster would do, on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, choices
from portal.api.serializers.declared import Change, Plan
from tenancy.grant_enums import Approval
from tenancy.template_enums import VersionState

if TYPE_CHECKING:
    from tenancy.actions.clusters import Plan as PlanMade


class DevicePlan(CamelSerializer):
    """What would come of asking for accelerators of one class."""

    class_ = serializers.CharField(source="key")
    count = serializers.IntegerField()
    lacking = serializers.IntegerField(
        help_text="How many the grants lack for this and the tenant's other clusters."
    )
    approval = serializers.ChoiceField(choices(Approval), help_text="Who would have to agree.")
    fits = serializers.BooleanField(
        help_text="Whether as many are free as would be asked for, from today on."
    )
    message = serializers.CharField(help_text="What would happen, for people.")


class TemplatePlan(CamelSerializer):
    """The version of a template that a spec comes to."""

    name = serializers.CharField(source="template.name")
    version = serializers.CharField(source="name")
    state = serializers.ChoiceField(choices(VersionState))


class ClusterPlan(Plan):
    """What a write would do; nothing was done."""

    host = serializers.CharField(help_text="The host cluster it is or would be on.")
    accelerators = DevicePlan(many=True, help_text="The quota's verdict on each class of the spec.")
    effective = serializers.SerializerMethodField(
        help_text="Effective values that would be others; empty while the host's facts are not known."
    )
    template = serializers.SerializerMethodField(help_text="Null for a spec without one.")

    @extend_schema_field(Change(many=True))
    def get_effective(self, plan: PlanMade) -> list[dict[str, Any]]:
        """Each with both values."""
        return [{"path": path, "old": old, "new": new} for path, old, new in plan.effective]

    @extend_schema_field(TemplatePlan(allow_null=True))
    def get_template(self, plan: PlanMade) -> dict[str, Any] | None:
        """What the version or range comes to."""
        return dict(TemplatePlan(plan.template.version).data) if plan.template else None
