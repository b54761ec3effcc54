"""Tenants and their members: admins make tenants, owners decide who belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.api.base import Resource, agree, operation
from portal.api.preconditions import expectation, require
from portal.api.serializers.tenants import Member, MemberFilters, Tenant, TenantFilters
from tenancy import policy
from tenancy.actions import members as member_verbs
from tenancy.actions import tenants as verbs
from tenancy.actions.unit import atomic
from tenancy.enums import Permission, Role, Trust
from tenancy.errors import NotFound
from tenancy.queries import tenants

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy import models


class Tenants(Resource):
    """The collection."""

    tag = "tenants"

    @operation("listTenants", {200: Tenant}, query=TenantFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists the tenants you may see, by name."""
        return self.listed(Tenant, tenants.visible_to(self.actor), name=self.query.get("name"))


class OneTenant(Resource):
    """One tenant."""

    tag = "tenants"

    @operation("getTenant", {200: Tenant})
    def get(self, _: Request, tenant: str) -> Response:
        """Reads a tenant."""
        return self.answer(Tenant, tenants.get(self.actor, tenant))

    @operation("putTenant", {200: Tenant, 201: Tenant}, body=Tenant, conditional=True, problems=(409,))
    def put(self, request: Request, tenant: str) -> Response:
        """Creates or replaces a tenant (admins)."""
        agree(self.body.get("name"), tenant, "metadata.name")
        with atomic():
            old = self._found(tenant)
            require(expectation(request), Tenant(old).data if old else None)
            if old is None:
                verbs.create(by=self.actor, name=tenant)
            found = verbs.update(
                by=self.actor,
                name=tenant,
                display_name=self.body["display_name"],
                trust=Trust(self.body["trust"]),
                suspended=self.body["suspended"],
            )
        headers = {} if old else {"Location": f"/api/v1/tenants/{tenant}"}
        return self.answer(Tenant, found, status=200 if old else 201, headers=headers)

    @operation("deleteTenant", {200: Tenant}, problems=(409,))
    def delete(self, _: Request, tenant: str) -> Response:
        """Removes a tenant that has no cluster left, and answers with what it was (admins)."""
        found = tenants.get(self.actor, tenant)
        last = self.answer(Tenant, found)
        verbs.delete(by=self.actor, name=tenant)
        return last

    def _found(self, name: str) -> models.Tenant | None:
        return tenants.visible_to(self.actor).filter(name=name).first()


class Members(Resource):
    """The members of a tenant."""

    tag = "members"

    @operation("listMembers", {200: Member}, query=MemberFilters, listing=True)
    def get(self, _: Request, tenant: str) -> Response:
        """Lists a tenant's members by name."""
        rows = tenants.members(self.actor, tenants.get(self.actor, tenant))
        return self.listed(Member, rows.select_related("tenant"), role=self.query.get("role"))


class OneMember(Resource):
    """One person in a tenant."""

    tag = "members"

    @operation("getMember", {200: Member})
    def get(self, _: Request, tenant: str, username: str) -> Response:
        """Reads a member's role."""
        return self.answer(Member, self._get(tenant, username))

    @operation("putMember", {200: Member, 201: Member}, body=Member, problems=(409,))
    def put(self, _: Request, tenant: str, username: str) -> Response:
        """Makes somebody a member, or changes their role (owners)."""
        agree(self.body.get("user", {}).get("username"), username, "metadata.name")
        agree(self.body.get("tenant", {}).get("name"), tenant, "metadata.tenant")
        role = Role(self.body["role"])
        found, created = member_verbs.put(by=self.actor, tenant=tenant, username=username, role=role)
        headers = {"Location": f"/api/v1/tenants/{tenant}/members/{username}"} if created else {}
        return self.answer(Member, found, status=201 if created else 200, headers=headers)

    @operation("deleteMember", {200: Member}, problems=(409,))
    def delete(self, _: Request, tenant: str, username: str) -> Response:
        """Ends a membership, and answers with what it was (owners)."""
        policy.check(self.actor, Permission.MEMBER_MANAGE, tenants.get(self.actor, tenant))
        last = self.answer(Member, self._get(tenant, username))
        member_verbs.remove(by=self.actor, tenant=tenant, username=username)
        return last

    def _get(self, tenant: str, username: str) -> models.Membership:
        rows = tenants.members(self.actor, tenants.get(self.actor, tenant))
        found = rows.select_related("tenant").filter(user__username=username).first()
        if found is None:
            raise NotFound(f"{username!r} is not a member of {tenant!r}")
        return found
