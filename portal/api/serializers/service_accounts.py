"""Service accounts on the wire."""

from __future__ import annotations

from rest_framework import serializers

from portal.api.serializers.base import ListQuery, StrictSerializer, Text, choices
from portal.api.serializers.declared import DeclaredSerializer, DeclaredStatus, MadeMetadata
from tenancy.enums import Role


class ServiceAccountMetadata(MadeMetadata):
    """Which one it is; all but the name and the tenant is the server's."""

    name = Text(required=False, help_text="A DNS label of at most 40 characters.")
    tenant = Text(required=False, source="tenant.name")


class ServiceAccountSpec(StrictSerializer):
    """What it may do."""

    role = serializers.ChoiceField(choices(Role), help_text="As a member's; its tokens may narrow it.")
    description = Text(default="", allow_blank=True, max_length=200, help_text="What it is for.")


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
