"""Tokens and who they speak for, on the wire."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, Flag, ListQuery, StrictSerializer, Text, choices
from tenancy.enums import PlatformRole, Role


class TokenMetadata(StrictSerializer):
    """Which token it is; the name is yours, the rest the server's."""

    name = Text(max_length=60, help_text="What it is for.")
    uid = serializers.UUIDField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class TokenSpec(StrictSerializer):
    """How far it reaches."""

    tenant = Text(
        required=False,
        allow_null=True,
        source="tenant.name",
        default=None,
        help_text="The only tenant it reaches; null for all of yours.",
    )
    read_only = Flag(default=False)  # type: ignore[assignment] # DRF takes fields off the class
    expires_at = serializers.DateTimeField(default=None, allow_null=True)


class TokenStatus(CamelSerializer):
    """What is known of it."""

    prefix = serializers.CharField(help_text="Its first characters, to recognise it by.")
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="Exact to a minute.")


class Token(StrictSerializer):
    """An API token of yours; what is kept of it cannot be used."""

    metadata = TokenMetadata(source="*")
    spec = TokenSpec(source="*", required=False)
    status = TokenStatus(source="*", read_only=True)


class NewToken(Token):
    """A token with its text, which is shown this once."""

    token = serializers.SerializerMethodField(
        help_text="Send it as `Authorization: Bearer`. Absent when the answer is a replay."
    )

    @extend_schema_field(str)
    def get_token(self, _: object) -> str:
        """From the view, for it is kept nowhere."""
        return str(self.context["raw"])


class TokenFilters(ListQuery):
    """Which tokens."""

    name = serializers.CharField(required=False, max_length=60)


class MyTenant(CamelSerializer):
    """A role in a tenant."""

    tenant = serializers.CharField(source="tenant.name")
    role = serializers.ChoiceField(choices(Role))


class Me(CamelSerializer):
    """Who this token speaks for."""

    username = serializers.CharField()
    platform_role = serializers.ChoiceField(
        [(role.value, role.name) for role in PlatformRole if role],
        allow_null=True,
        help_text="Null for most people, and for tokens bound to a tenant.",
    )
    read_only = serializers.BooleanField()  # type: ignore[assignment] # DRF takes fields off the class
    bound_to = serializers.CharField(allow_null=True, help_text="The only tenant the token reaches.")
    tenants = MyTenant(many=True)
