"""Tenants and their members: admins make tenants, owners decide who belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.api.base import Resource, operation
from portal.api.declared import DeclaredResource, reads, removes, writes
from portal.api.serializers.tenants import Member, MemberFilters, Tenant, TenantFilters
from tenancy import models
from tenancy.actions import members as member_verbs
from tenancy.actions import tenants as verbs
from tenancy.enums import Role, Trust
from tenancy.queries import tenants

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response


class Tenants(Resource):
    """The collection."""

    tag = "tenants"

    @operation("listTenants", {200: Tenant}, query=TenantFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists the tenants you may see, by name."""
        return self.listed(Tenant, tenants.visible_to(self.actor), name=self.query.get("name"))


class OneTenant(DeclaredResource[models.Tenant]):
    """One tenant."""

    tag = "tenants"
    kind = Tenant
    keys = {"name": "tenant"}

    @reads("getTenant", Tenant)
    def get(self, _: Request, tenant: str) -> Response:
        """Reads a tenant."""
        return self.told(tenant=tenant)

    @writes("putTenant", Tenant)
    def put(self, request: Request, tenant: str) -> Response:
        """Creates or replaces a tenant (admins)."""
        return self.written(request, tenant=tenant)

    @removes("deleteTenant", Tenant)
    def delete(self, request: Request, tenant: str) -> Response:
        """Removes a tenant that has no cluster left, and answers with what it was (admins)."""
        return self.removed(request, tenant=tenant)

    def rows(self, tenant: str) -> QuerySet[models.Tenant]:
        """By its name."""
        return tenants.visible_to(self.actor).filter(name=tenant)

    def write(self, tenant: str) -> None:
        """Makes or changes it."""
        wish = {
            "display_name": self.body["display_name"],
            "trust": Trust(self.body["trust"]),
            "suspended": self.body["suspended"],
        }
        write = verbs.update if self.rows(tenant).exists() else verbs.create
        write(by=self.actor, name=tenant, **wish)

    def remove(self, tenant: str) -> None:
        """Removes it."""
        verbs.delete(by=self.actor, name=tenant)

    def missing(self, tenant: str) -> str:
        """As everywhere."""
        return tenants.missing(tenant)


class Members(Resource):
    """The members of a tenant."""

    tag = "members"

    @operation("listMembers", {200: Member}, query=MemberFilters, listing=True)
    def get(self, _: Request, tenant: str) -> Response:
        """Lists a tenant's members by name."""
        rows = tenants.members(self.actor, tenants.get(self.actor, tenant))
        return self.listed(Member, rows, role=self.query.get("role"))


class OneMember(DeclaredResource[models.Membership]):
    """One person in a tenant."""

    tag = "members"
    kind = Member
    keys = {"name": "username", "tenant": "tenant"}

    @reads("getMember", Member)
    def get(self, _: Request, tenant: str, username: str) -> Response:
        """Reads a member's role."""
        return self.told(tenant=tenant, username=username)

    @writes("putMember", Member)
    def put(self, request: Request, tenant: str, username: str) -> Response:
        """Makes somebody a member, or changes their role (owners)."""
        return self.written(request, tenant=tenant, username=username)

    @removes("deleteMember", Member)
    def delete(self, request: Request, tenant: str, username: str) -> Response:
        """Ends a membership, and answers with what it was (owners)."""
        return self.removed(request, tenant=tenant, username=username)

    def rows(self, tenant: str, username: str) -> QuerySet[models.Membership]:
        """By the user's name."""
        found = tenants.get(self.actor, tenant)
        return tenants.members(self.actor, found).filter(user__username=username)

    def write(self, tenant: str, username: str) -> None:
        """Makes them one, or changes their role."""
        role = Role(self.body["role"])
        member_verbs.put(by=self.actor, tenant=tenant, username=username, role=role)

    def remove(self, tenant: str, username: str) -> None:
        """Ends it."""
        member_verbs.remove(by=self.actor, tenant=tenant, username=username)

    def missing(self, tenant: str, username: str) -> str:
        """Who is not a member of what."""
        return f"{username!r} is not a member of {tenant!r}"
