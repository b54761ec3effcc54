"""The audit log on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, ListQuery, QuerySerializer, choices
from tenancy.enums import ChainFault

if TYPE_CHECKING:
    from rest_framework.fields import Field


class AuditEvent(CamelSerializer):
    """Who did what to what; each row's fingerprint covers its content and the row before."""

    id = serializers.IntegerField()
    sequence = serializers.IntegerField(help_text="From 1, without gaps, over all of the platform.")
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    action = serializers.CharField(help_text="`denied` for what was refused; `facts.attempted` says what.")
    tenant = serializers.CharField(allow_blank=True)
    target = serializers.CharField()
    facts = serializers.DictField()
    previous = serializers.CharField(help_text="Fingerprint of the row before.")
    digest = serializers.CharField(help_text="Fingerprint of this row.")


class AuditFilters(ListQuery):
    """Which events."""

    actor = serializers.CharField(required=False, max_length=150)
    action = serializers.CharField(required=False, max_length=60)
    target = serializers.CharField(required=False, max_length=200)


class PlatformAuditFilters(AuditFilters):
    """Which events of the whole platform."""

    tenant = serializers.CharField(required=False, max_length=63)


class ExportQuery(QuerySerializer):
    """Where a bundle begins."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """``from``, which no Python class can declare."""
        text = "The first row; one behind what you have already."
        return {"from": serializers.IntegerField(min_value=1, max_value=2**63 - 1, default=1, help_text=text)}


class Fault(CamelSerializer):
    """Something that was done to the log."""

    kind = serializers.ChoiceField(choices(ChainFault))
    sequence = serializers.IntegerField(help_text="The row.")
    detail = serializers.CharField()


class AuditHead(CamelSerializer):
    """The end of the chain, its last signature, and what the last look at all of it found."""

    sequence = serializers.IntegerField(help_text="Of the last row; 0 before the first.")
    digest = serializers.CharField(help_text="Fingerprint of the last row: it stands for all of them.")
    signed = serializers.CharField(
        help_text="The head as JWS, seconds old at most while the relay works. Keep it elsewhere.",
        allow_blank=True,
    )
    signed_sequence = serializers.IntegerField()
    signed_at = serializers.DateTimeField(allow_null=True)
    checked_sequence = serializers.IntegerField(help_text="How far the last look at the whole chain went.")
    checked_at = serializers.DateTimeField(allow_null=True)
    faults = Fault(many=True, help_text="What it found; empty for a log that is as it was written.")
