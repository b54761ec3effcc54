"""Operations on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, ListQuery, choices
from tenancy.enums import OperationKind, OperationState, StepState

if TYPE_CHECKING:
    from tenancy.models import Operation as OperationRow


class Step(CamelSerializer):
    """One step of an operation."""

    name = serializers.CharField()
    state = serializers.ChoiceField(choices(StepState))
    message = serializers.CharField(allow_blank=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class Progress(CamelSerializer):
    """How many steps are done; a total of 0 says that no pass has begun."""

    done = serializers.IntegerField()
    total = serializers.IntegerField()


class OperationError(CamelSerializer):
    """Why it ended badly."""

    code = serializers.CharField()
    message = serializers.CharField(allow_blank=True)


class Target(CamelSerializer):
    """What it changes; the target may be gone by now."""

    kind = serializers.CharField()
    tenant = serializers.CharField()
    name = serializers.CharField()
    uid = serializers.UUIDField()
    generation = serializers.IntegerField()


class Operation(CamelSerializer):
    """One change that somebody asked for, and how far it is; kept for 30 days after its end."""

    id = serializers.UUIDField(source="uid")
    kind = serializers.ChoiceField(choices(OperationKind))
    state = serializers.ChoiceField(choices(OperationState))
    progress = serializers.SerializerMethodField()
    steps = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    target = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    finished_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(Progress)
    def get_progress(self, row: OperationRow) -> dict[str, int]:
        """Steps done of all."""
        done = sum(step["state"] == StepState.DONE for step in row.steps)
        return {"done": done, "total": len(row.steps)}

    @extend_schema_field(Step(many=True))
    def get_steps(self, row: OperationRow) -> list[dict[str, Any]]:
        """As the provisioner reported them."""
        return list(row.steps)

    @extend_schema_field(OperationError(allow_null=True))
    def get_error(self, row: OperationRow) -> dict[str, str] | None:
        """None unless it failed or was superseded."""
        return {"code": row.error_code, "message": row.error_message} if row.error_code else None

    @extend_schema_field(Target)
    def get_target(self, row: OperationRow) -> dict[str, Any]:
        """A cluster, today."""
        return {
            "kind": "cluster",
            "tenant": row.tenant.name,
            "name": row.target_name,
            "uid": str(row.target_uid),
            "generation": row.generation,
        }


class OperationFilters(ListQuery):
    """Which operations."""

    tenant = serializers.CharField(required=False, max_length=63)
    cluster = serializers.CharField(required=False, max_length=63, help_text="Name of the target.")
    target = serializers.UUIDField(required=False, help_text="Its uid.")
    state = serializers.ChoiceField(choices(OperationState), required=False)
    kind = serializers.ChoiceField(choices(OperationKind), required=False)
