"""What is written by PUT, on the wire: the spec comes back as it was written, what it means is in the status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer

from portal.api.serializers.base import CamelSerializer, QuerySerializer, StrictSerializer
from tenancy.rules.wishes import echo

if TYPE_CHECKING:
    from tenancy.actions.declared import Plan as PlanMade
    from tenancy.models.declared import Declared


class DeclaredMetadata(StrictSerializer):
    """Who an object is; subclasses add what is in its address."""

    uid = serializers.UUIDField(read_only=True, help_text="The server's; never used again.")
    generation = serializers.IntegerField(read_only=True, help_text="Counts the changes of the spec.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """What the client chose comes first."""
        return dict(sorted(super().get_fields().items(), key=lambda item: item[1].read_only))


class MadeMetadata(DeclaredMetadata):
    """Who an object is, and who made it."""

    created_at = serializers.DateTimeField(read_only=True)
    created_by = serializers.CharField(read_only=True)


class DeclaredStatus(CamelSerializer):
    """What follows from a spec; subclasses add ``effective``, the spec with its silences filled in."""

    observed_generation = serializers.IntegerField(
        source="generation", help_text="The last generation that is in force: here at once."
    )


class DeclaredSerializer(StrictSerializer):
    """An object that is written by PUT: ``metadata``, ``spec`` and ``status``."""

    def to_representation(self, row: Declared) -> dict[str, Any]:
        """The object, its spec as it was written."""
        body: dict[str, Any] = super().to_representation(row)
        body["spec"] = echo(row.spec_text, row.spec_read, _plain(body["spec"]))
        return body

    @classmethod
    def meaning(cls, row: Declared) -> dict[str, Any]:
        """The spec in force, as JSON, no field left out."""
        return _plain(cls().fields["spec"].to_representation(row))


def _plain(value: Any) -> dict[str, Any]:  # noqa: ANN401 - what serializers make
    found: dict[str, Any] = json.loads(JSONRenderer().render(value))
    return found


class PutQuery(QuerySerializer):
    """How to write."""

    dry_run = serializers.BooleanField(default=False, help_text="Only tell what the write would do.")


class Change(CamelSerializer):
    """One field that a write would change."""

    path = serializers.CharField()
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)


class Plan(CamelSerializer):
    """What a write would do; nothing was done."""

    action = serializers.ChoiceField([("create", "create"), ("update", "update"), ("none", "none")])
    changes = serializers.SerializerMethodField()

    @extend_schema_field(Change(many=True))
    def get_changes(self, plan: PlanMade) -> list[dict[str, Any]]:
        """Each field that differs, with both values."""
        return [{"path": path, "old": old, "new": new} for path, old, new in plan.changes]
