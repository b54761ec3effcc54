"""Isolation reports and quarantine on the wire."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, ListQuery, choices
from tenancy.enums import ClaimResult, ReportState

if TYPE_CHECKING:
    from tenancy.models import IsolationReport


class Claim(CamelSerializer):
    """One thing that was looked at."""

    id = serializers.CharField()
    title = serializers.CharField()
    control = serializers.CharField(help_text="What on the host is to be mended when it fails.")
    probe = serializers.CharField()
    source = serializers.ChoiceField([("host", "host"), ("tenant", "tenant")])  # type: ignore[assignment] # a claim's own word
    at = serializers.DateTimeField()
    result = serializers.ChoiceField(choices(ClaimResult))
    evidence = serializers.CharField(allow_blank=True)


class Report(CamelSerializer):
    """What was probed of a cluster's isolation; the signed form is at its `download` address."""

    uid = serializers.UUIDField()
    state = serializers.ChoiceField(choices(ReportState))
    requested_at = serializers.DateTimeField()
    requested_by = serializers.CharField()
    finished_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    verdict = serializers.BooleanField(
        allow_null=True, help_text="True only if every claim passed; null until it is made."
    )
    key_id = serializers.CharField(help_text="Of the key that signed it.")
    claims = serializers.SerializerMethodField()
    error = serializers.CharField(help_text="Why there is none; empty otherwise.")
    download = serializers.SerializerMethodField(
        help_text="Address of the signed report; null until it is made."
    )

    @extend_schema_field(Claim(many=True))
    def get_claims(self, row: IsolationReport) -> list[dict[str, Any]]:
        """As they were signed."""
        return list(json.loads(row.statement)["claims"]) if row.statement else []

    @extend_schema_field({"type": ["string", "null"], "format": "uri-reference"})
    def get_download(self, row: IsolationReport) -> str | None:
        """Beside the report itself."""
        return f"{address(row)}/download" if row.envelope else None


class ReportFilters(ListQuery):
    """Which reports."""

    state = serializers.ChoiceField(choices(ReportState), required=False)


class SigningKey(CamelSerializer):
    """A public key as JWK (RFC 7517, RFC 8037)."""

    kty = serializers.CharField()
    crv = serializers.CharField()
    x = serializers.CharField()
    kid = serializers.CharField()
    use = serializers.CharField()
    alg = serializers.CharField()


class SigningKeys(CamelSerializer):
    """The keys by which isolation reports are verified, newest first (a JWK Set)."""

    keys = SigningKey(many=True)


def address(row: IsolationReport) -> str:
    """Where a report is read."""
    cluster = row.cluster
    return f"/api/v1/tenants/{cluster.tenant.name}/clusters/{cluster.name}/reports/{row.uid}"
