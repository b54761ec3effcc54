"""Identities at OpenID providers, on the wire."""

from __future__ import annotations

from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, ListQuery, StrictSerializer, Text


class IdentityMetadata(CamelSerializer):
    """The server's."""

    uid = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(help_text="`sign-in` where the person's first one made the user.")


class IdentitySpec(StrictSerializer):
    """Who is who."""

    username = Text(source="user.username", max_length=150, help_text="The user here.")
    issuer = Text(max_length=255, help_text="The provider, as in its tokens' `iss`.")
    subject = Text(max_length=255, help_text="The person there: `sub`. An equal name or mail links nobody.")


class IdentityStatus(CamelSerializer):
    """What is known of it."""

    managed = serializers.BooleanField(
        help_text="The user was made by this sign-in, so groups decide its platform role."
    )
    last_used_at = serializers.DateTimeField(allow_null=True)


class Identity(StrictSerializer):
    """A user as an OpenID provider knows them."""

    metadata = IdentityMetadata(source="*", read_only=True)
    spec = IdentitySpec(source="*")
    status = IdentityStatus(source="*", read_only=True)


class IdentityFilters(ListQuery):
    """Which identities."""

    username = serializers.CharField(required=False, max_length=150)
    issuer = serializers.CharField(required=False, max_length=255)
    subject = serializers.CharField(required=False, max_length=255)
