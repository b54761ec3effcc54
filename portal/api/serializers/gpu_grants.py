"""Grants of accelerators on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import (
    CamelSerializer,
    Day,
    ListQuery,
    Place,
    StrictSerializer,
    Text,
    choices,
)
from portal.api.serializers.gpu_requests import URI, grant_address, reason
from tenancy.grant_enums import GrantPhase, ReclaimCause
from tenancy.queries import calendar, grants
from tenancy.rules.requests import TEXT_MAX

if TYPE_CHECKING:
    from tenancy.models import Grant


class GrantMetadata(CamelSerializer):
    """Which grant it is."""

    uid = serializers.UUIDField()
    tenant = serializers.CharField(source="tenant.name")
    created_at = serializers.DateTimeField()


class GrantSpec(CamelSerializer):
    """What is granted."""

    class_ = serializers.CharField(source="accelerator.key")
    amount = serializers.IntegerField()
    from_ = serializers.DateField(source="starts_on", help_text="UTC.")
    until = serializers.DateField(source="ends_on", help_text="UTC, exclusive.")
    pool = Place()


class GrantStatus(CamelSerializer):
    """Where it is in its life."""

    phase = serializers.SerializerMethodField()
    activated_at = serializers.DateTimeField(
        allow_null=True, help_text="When its day had come and its devices were free of the one before."
    )
    ended_at = serializers.DateTimeField(allow_null=True, help_text="It gives nothing from here on.")
    cause = serializers.SerializerMethodField(help_text="Why it ended; null while it has not.")
    ended_by = serializers.CharField(help_text="`clock` when its days were over; empty while it has not.")
    deadline = serializers.DateTimeField(
        allow_null=True, help_text="When pods that still hold its devices are ended."
    )
    closed_at = serializers.DateTimeField(allow_null=True, help_text="When its devices were seen back.")
    receipt = serializers.SerializerMethodField(
        method_name="receipt_address", help_text="Address of the signed receipt; null until they are back."
    )

    @extend_schema_field(serializers.ChoiceField(choices(GrantPhase)))
    def get_phase(self, row: Grant) -> str:
        return grants.phase(row, calendar.shown()).value

    @extend_schema_field(serializers.ChoiceField(choices(ReclaimCause), allow_null=True))
    def get_cause(self, row: Grant) -> str | None:
        """None while it has not ended."""
        return row.cause if row.ended_at else None

    @extend_schema_field(URI)
    def receipt_address(self, row: Grant) -> str | None:
        """None until it is closed."""
        return f"{grant_address(row.uid)}/receipt" if row.receipt else None


class GpuGrant(CamelSerializer):
    """Accelerators that a tenant may use from one day until another."""

    metadata = GrantMetadata(source="*")
    spec = GrantSpec(source="*")
    status = GrantStatus(source="*")


class TenantGrantFilters(ListQuery):
    """Which grants of a tenant."""

    class_ = serializers.CharField(required=False, max_length=63)
    closed = serializers.BooleanField(required=False, help_text="Whether its devices are back.")


class GrantFilters(TenantGrantFilters):
    """Which grants."""

    tenant = serializers.CharField(required=False, max_length=63)


class Extension(StrictSerializer):
    """More days."""

    until = Day(help_text="UTC, exclusive.")
    justification = reason("What for: approvers read it.")


class EarlyReturn(StrictSerializer):
    """Why they are not needed any more."""

    reason = Text(default="", allow_blank=True, max_length=TEXT_MAX)
