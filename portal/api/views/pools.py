"""Node pools of host clusters: made and assigned by admins, read by whom they are assigned to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.api.base import Resource, agree, operation
from portal.api.preconditions import expectation, require
from portal.api.serializers.base import ListQuery
from portal.api.serializers.pools import Pool, PoolFilters, TenantPool
from tenancy.actions import pools as verbs
from tenancy.actions.unit import atomic
from tenancy.enums import PoolKind, Sandbox
from tenancy.queries import hosts, pools, tenants

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class Pools(Resource):
    """The pools of a host."""

    tag = "hosts"

    @operation("listPools", {200: Pool}, query=PoolFilters, listing=True)
    def get(self, _: Request, host: str) -> Response:
        """Lists a host's node pools by name (admins, auditors)."""
        rows = pools.visible_to(self.actor, hosts.get(self.actor, host))
        return self.listed(Pool, rows, kind=self.query.get("kind"))


class OnePool(Resource):
    """One pool."""

    tag = "hosts"

    @operation("getPool", {200: Pool})
    def get(self, _: Request, host: str, name: str) -> Response:
        """Reads a node pool (admins, auditors)."""
        return self.answer(Pool, pools.get(self.actor, hosts.get(self.actor, host), name))

    @operation("putPool", {200: Pool, 201: Pool}, body=Pool, conditional=True, problems=(409,))
    def put(self, request: Request, host: str, name: str) -> Response:
        """Makes a node pool, changes it, or assigns it to another tenant (admins).

        Another tenant means that each of its nodes is emptied and wiped before the tenant
        gets it; refused while clusters run on it.
        """
        agree(self.body.get("name"), name, "metadata.name")
        with atomic():
            found = hosts.get(self.actor, host)
            old = pools.visible_to(self.actor, found).filter(name=name).first()
            require(expectation(request), Pool(old).data if old else None)
            _, created = verbs.put(by=self.actor, host_name=host, name=name, wish=self._wish())
            made = pools.get(self.actor, found, name)
        headers = {"Location": f"/api/v1/hosts/{host}/pools/{name}"} if created else {}
        return self.answer(Pool, made, status=201 if created else 200, headers=headers)

    @operation("deletePool", {200: Pool}, problems=(409,))
    def delete(self, _: Request, host: str, name: str) -> Response:
        """Removes a pool without nodes and clusters, and answers with what it was (admins)."""
        last = self.answer(Pool, pools.get(self.actor, hosts.get(self.actor, host), name))
        verbs.delete(by=self.actor, host_name=host, name=name)
        return last

    def _wish(self) -> verbs.PoolWish:
        return verbs.PoolWish(
            kind=PoolKind(self.body["kind"]),
            selector=self.body["selector"],
            tainted=self.body["tainted"],
            sandboxes=tuple(Sandbox(word) for word in self.body["sandboxes"]),
            accelerators=tuple(self.body["accelerators"]),
            reserved=self.body["reserved"],
            tenant=self.body["tenant_name"],
        )


class TenantPools(Resource):
    """The pools of a tenant."""

    tag = "tenants"

    @operation("listTenantPools", {200: TenantPool}, query=ListQuery, listing=True)
    def get(self, _: Request, tenant: str) -> Response:
        """Lists the node pools that are the tenant's alone, by name."""
        rows = pools.usable_by(self.actor, tenants.get(self.actor, tenant))
        return self.listed(TenantPool, rows)
