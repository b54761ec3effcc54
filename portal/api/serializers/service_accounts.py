"""Service accounts on the wire."""

from __future__ import annotations

from rest_framework import serializers

from portal.api.serializers.base import Duration, ListQuery, StrictSerializer, Text, choices
from portal.api.serializers.declared import DeclaredSerializer, DeclaredStatus, MadeMetadata
from tenancy.enums import Role
from tenancy.rules.trust import LIFETIME


class ServiceAccountMetadata(MadeMetadata):
    """Which one it is; all but the name and the tenant is the server's."""

    name = Text(required=False, help_text="A DNS label of at most 40 characters.")
    tenant = Text(required=False, source="tenant.name")


class Lifetime(Duration):
    """Seconds, told as such."""

    def to_representation(self, value: object) -> str:
        """With its unit."""
        return f"{value}s"


class TrustedJobs(StrictSerializer):
    """Jobs of a CI system that may act as the account: all claims must fit."""

    issuer = Text(max_length=255, help_text="`iss` of the jobs' tokens; one that an admin has allowed.")
    audience = Text(
        default="",
        allow_blank=True,
        max_length=255,
        help_text="`aud`; the portal's public address if left out.",
    )
    claims = serializers.DictField(
        child=Text(max_length=255),
        help_text="Claim → value: exact; `*` stands for anything but `/` and `:`, `**` for anything.",
    )
    lifetime = Lifetime(
        default=LIFETIME, help_text="How long the token lives that such a job gets: 1m to 1h."
    )


class ServiceAccountSpec(StrictSerializer):
    """What it may do."""

    role = serializers.ChoiceField(choices(Role), help_text="As a member's; its tokens may narrow it.")
    description = Text(default="", allow_blank=True, max_length=200, help_text="What it is for.")
    trust = TrustedJobs(many=True, default=list, help_text="CI jobs that may act as it: docs/identity.md.")


class ServiceAccountStatus(DeclaredStatus):
    """What is known of it."""

    effective = ServiceAccountSpec(source="*")
    actor = serializers.CharField(source="user.username", help_text="How the audit log calls it.")
    tokens = serializers.IntegerField(help_text="How many it has.")
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="When one of them was last used.")


class ServiceAccount(DeclaredSerializer):
    """Something that works for a tenant and is no person: it has tokens, and nobody signs in as it."""

    metadata = ServiceAccountMetadata(source="*", required=False)
    spec = ServiceAccountSpec(source="*")
    status = ServiceAccountStatus(source="*", read_only=True)


class ServiceAccountFilters(ListQuery):
    """Which service accounts."""

    role = serializers.ChoiceField(choices(Role), required=False)
