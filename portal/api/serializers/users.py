"""People on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError as Unfit
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, ListQuery, StrictSerializer, Text, choices
from tenancy.enums import PlatformRole

if TYPE_CHECKING:
    from tenancy import models


class UserMetadata(StrictSerializer):
    """Who it is."""

    name = Text(source="username", max_length=150, validators=[UnicodeUsernameValidator()])
    created_at = serializers.DateTimeField(source="date_joined", read_only=True)


class UserSpec(StrictSerializer):
    """How they sign in."""

    password = Text(
        write_only=True,
        required=False,
        max_length=1000,
        trim_whitespace=False,
        help_text="Their first one, told by nobody afterwards; without, they sign in by an identity.",
    )

    def validate_password(self, password: str) -> str:
        """The portal's rules for passwords."""
        try:
            validate_password(password)
        except Unfit as error:
            raise serializers.ValidationError(error.messages, code="unfit") from error
        return password


class UserStatus(CamelSerializer):
    """What they are on the platform."""

    platform_role = serializers.SerializerMethodField(
        method_name="role_of",
        help_text="Given on the portal's pages, by a command or by the provider's groups, never by a token.",
    )

    suspended = serializers.SerializerMethodField(help_text="Their sessions and tokens are refused.")

    @extend_schema_field(serializers.BooleanField())
    def get_suspended(self, user: models.User) -> bool:
        """Django's flag the other way round."""
        return not user.is_active

    @extend_schema_field(
        serializers.ChoiceField([role for role in choices(PlatformRole) if role[0]], allow_null=True)
    )
    def role_of(self, user: models.User) -> PlatformRole | None:
        """None for most people."""
        return PlatformRole(user.platform_role) or None


class User(StrictSerializer):
    """A person who may sign in."""

    metadata = UserMetadata(source="*")
    spec = UserSpec(source="*", required=False)
    status = UserStatus(source="*", read_only=True)


class UserFilters(ListQuery):
    """Which people."""

    name = serializers.CharField(required=False, max_length=150)
