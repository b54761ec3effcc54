"""Findings on the wire: what was amiss on a host, who did it, and whether it was put right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, ListQuery, choices
from tenancy.enums import ActorSource, FindingKind

if TYPE_CHECKING:
    from tenancy.models import Finding as FindingRow


class Difference(CamelSerializer):
    """One field that was not as wanted; empty text for absent."""

    path = serializers.CharField()
    wanted = serializers.CharField(allow_blank=True)
    seen = serializers.CharField(allow_blank=True)


class FoundActor(CamelSerializer):
    """Who did it, and how that is known: only `audit-log` is evidence."""

    name = serializers.CharField(allow_blank=True)
    source = serializers.ChoiceField(choices(ActorSource))  # type: ignore[assignment] # DRF takes fields off the class
    verb = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField(allow_null=True)


class Finding(CamelSerializer):
    """Something amiss on a host; `restoredAt` is null until it was seen put right."""

    id = serializers.UUIDField(source="uid")
    kind = serializers.ChoiceField(choices(FindingKind))
    host = serializers.CharField()
    namespace = serializers.CharField(allow_blank=True)
    tenant = serializers.CharField(allow_blank=True)
    cluster = serializers.CharField(source="cluster_name", allow_blank=True)
    subject = serializers.CharField()
    differences = serializers.SerializerMethodField()
    actor = serializers.SerializerMethodField()
    next_step = serializers.CharField(allow_blank=True)
    noticed_at = serializers.DateTimeField()
    restored_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(Difference(many=True))
    def get_differences(self, row: FindingRow) -> list[dict[str, Any]]:
        """At most 20."""
        return list(row.details)

    @extend_schema_field(FoundActor)
    def get_actor(self, row: FindingRow) -> dict[str, Any]:
        """Addresses stay with the host's log: members have no use for an operator's."""
        known = row.evidence
        return {
            "name": row.actor,
            "source": row.actor_source,
            "verb": known.get("verb", ""),
            "at": known.get("at"),
        }


class FindingFilters(ListQuery):
    """Which findings."""

    kind = serializers.ChoiceField(choices(FindingKind), required=False)
    open = serializers.BooleanField(required=False, help_text="Whether it still is amiss.")


class PlatformFindingFilters(FindingFilters):
    """Which findings of the whole platform."""

    host = serializers.CharField(required=False, max_length=63)
    tenant = serializers.CharField(required=False, max_length=63)
    cluster = serializers.CharField(required=False, max_length=63)
