"""Tokens and who they speak for, on the wire."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import (
    CamelSerializer,
    Duration,
    Flag,
    ListQuery,
    StrictSerializer,
    Text,
    choices,
)
from tenancy.actions.tokens import OVERLAP
from tenancy.enums import PlatformRole, Role
from tenancy.rules.scopes import EVERYTHING, PATTERNS, held
from tenancy.token_enums import Scope


class TokenMetadata(StrictSerializer):
    """Which token it is; the name is yours, the rest the server's."""

    name = Text(max_length=60, help_text="What it is for.")
    uid = serializers.UUIDField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    created_by = serializers.CharField(read_only=True)


class TokenSpec(StrictSerializer):
    """How far it reaches, and for how long."""

    tenant = Text(
        required=False,
        allow_null=True,
        source="tenant.name",
        default=None,
        help_text="The only tenant it reaches; null for all of yours.",
    )
    scopes = serializers.ListField(
        child=serializers.ChoiceField([(word, word) for word in PATTERNS]),
        default=None,
        allow_null=True,
        allow_empty=False,
        max_length=len(PATTERNS),
        help_text="What it is for: resource and verb, `*` for all; null for whatever you may do.",
    )
    read_only = Flag(  # type: ignore[assignment] # DRF takes fields off the class
        default=False, help_text="Of its scopes only those that change nothing; kubeconfigs can only look."
    )
    expires_at = serializers.DateTimeField(
        default=None, allow_null=True, help_text="Null for as long as is allowed here."
    )
    decides = Flag(
        default=False,
        help_text="Made for decisions over others: 12 hours at most, and only soon after signing in.",
    )


class TokenStatus(CamelSerializer):
    """What is known of it."""

    prefix = serializers.CharField(help_text="Its first characters, to recognise it by.")
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="Exact to a minute.")
    scopes = serializers.SerializerMethodField(help_text="What it may be used for in this release.")
    successor = serializers.UUIDField(
        source="successor_id", allow_null=True, help_text="The token it was rotated to."
    )

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices(Scope))))
    def get_scopes(self, token: object) -> list[str]:
        """Without wildcards."""
        patterns = getattr(token, "scopes", None)
        wide = EVERYTHING if patterns is None else tuple(patterns)
        return sorted(held(wide, read_only=getattr(token, "read_only", False)))


class Token(StrictSerializer):
    """An API token; what is kept of it cannot be used."""

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


class Rotation(StrictSerializer):
    """How a token is rotated."""

    overlap = Duration(
        default=OVERLAP,
        help_text="How long the old text is good beside the new one: from `0s` to `168h`, an hour if left out.",
    )
    expires_at = serializers.DateTimeField(
        default=None,
        allow_null=True,
        help_text="When the new one ends; null for as long as the old one was made for.",
    )


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
    decides = serializers.BooleanField(help_text="Whether it was made for decisions over others.")
    bound_to = serializers.CharField(allow_null=True, help_text="The only tenant the token reaches.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices(Scope)), help_text="What the token may be used for."
    )
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When the token ends.")
    tenants = MyTenant(many=True, allow_null=True, help_text="Null for a token without `tenants:read`.")
