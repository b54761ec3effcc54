"""Tenants and their members on the wire."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import Flag, ListQuery, StrictSerializer, Text, choices
from portal.api.serializers.declared import DeclaredMetadata, DeclaredSerializer, DeclaredStatus, MadeMetadata
from tenancy.enums import Role, Trust


class TenantMetadata(MadeMetadata):
    """Who a tenant is; all but the name is the server's."""

    name = Text(required=False, help_text="A DNS label of at most 20 characters.")


class TenantSpec(StrictSerializer):
    """What admins decide about a tenant; what is left out takes its default."""

    display_name = Text(default="", allow_blank=True, max_length=100)
    trust = serializers.ChoiceField(choices(Trust), default=Trust.UNTRUSTED.value)
    suspended = Flag(default=False, help_text="Its members can look, and nothing else.")


class TenantStatus(DeclaredStatus):
    """What follows for a tenant."""

    effective = TenantSpec(source="*")
    phase = serializers.SerializerMethodField()

    @extend_schema_field(str)
    def get_phase(self, tenant: object) -> str:
        """One word for people."""
        return "Suspended" if getattr(tenant, "suspended", False) else "Active"


class Tenant(DeclaredSerializer):
    """A team: it owns clusters and is kept apart from others."""

    metadata = TenantMetadata(source="*", required=False)
    spec = TenantSpec(source="*")
    status = TenantStatus(source="*", read_only=True)


class TenantFilters(ListQuery):
    """Which tenants."""

    name = serializers.CharField(required=False, max_length=63)


class MemberMetadata(DeclaredMetadata):
    """Who a member is, and of what."""

    name = Text(required=False, source="user.username", help_text="The user's name.")
    tenant = Text(required=False, source="tenant.name")


class MemberSpec(StrictSerializer):
    """What a member may do."""

    role = serializers.ChoiceField(choices(Role))


class MemberStatus(DeclaredStatus):
    """What follows for a member."""

    effective = MemberSpec(source="*")


class Member(DeclaredSerializer):
    """One person's role in one tenant."""

    metadata = MemberMetadata(source="*", required=False)
    spec = MemberSpec(source="*")
    status = MemberStatus(source="*", read_only=True)


class MemberFilters(ListQuery):
    """Which members."""

    role = serializers.ChoiceField(choices(Role), required=False)
