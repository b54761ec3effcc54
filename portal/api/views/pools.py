"""Node pools of host clusters: made and assigned by admins, read by whom they are assigned to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.api.base import Resource, operation
from portal.api.declared import DeclaredResource, reads, removes, writes
from portal.api.serializers.base import ListQuery
from portal.api.serializers.pools import Pool, PoolFilters, TenantPool
from tenancy import models
from tenancy.actions import pools as verbs
from tenancy.enums import PoolKind, Sandbox
from tenancy.queries import hosts, pools, tenants

if TYPE_CHECKING:
    from django.db.models import QuerySet
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


class OnePool(DeclaredResource[models.NodePool]):
    """One pool."""

    tag = "hosts"
    kind = Pool
    keys = {"name": "name", "host": "host"}
    readiness = "Ready when no node is on its way into it: each was emptied and wiped as its tenant needs it."

    @reads("getPool", Pool)
    def get(self, _: Request, host: str, name: str) -> Response:
        """Reads a node pool (admins, auditors)."""
        return self.told(host=host, name=name)

    @writes("putPool", Pool)
    def put(self, request: Request, host: str, name: str) -> Response:
        """Makes a node pool, changes it, or assigns it to another tenant (admins).

        Another tenant means that each of its nodes is emptied and wiped before the tenant
        gets it; refused while clusters run on it.
        """
        return self.written(request, host=host, name=name)

    @removes("deletePool", Pool)
    def delete(self, request: Request, host: str, name: str) -> Response:
        """Removes a pool without nodes and clusters, and answers with what it was (admins)."""
        return self.removed(request, host=host, name=name)

    def rows(self, host: str, name: str) -> QuerySet[models.NodePool]:
        """By its host and name."""
        return pools.visible_to(self.actor, hosts.get(self.actor, host)).filter(name=name)

    def write(self, host: str, name: str) -> None:
        """Makes or changes it."""
        wish = verbs.PoolWish(
            kind=PoolKind(self.body["kind"]),
            selector=self.body["selector"],
            tainted=self.body["tainted"],
            sandboxes=tuple(Sandbox(word) for word in self.body["sandboxes"]),
            accelerators=tuple(self.body["accelerators"]),
            reserved=self.body["reserved"],
            tenant=self.body["tenant_name"],
        )
        verbs.put(by=self.actor, host_name=host, name=name, wish=wish)

    def remove(self, host: str, name: str) -> None:
        """Removes it."""
        verbs.delete(by=self.actor, host_name=host, name=name)

    def missing(self, host: str, name: str) -> str:
        """Which pool of which host."""
        return pools.missing(host, name)


class TenantPools(Resource):
    """The pools of a tenant."""

    tag = "tenants"

    @operation("listTenantPools", {200: TenantPool}, query=ListQuery, listing=True)
    def get(self, _: Request, tenant: str) -> Response:
        """Lists the node pools that are the tenant's alone, by name."""
        rows = pools.usable_by(self.actor, tenants.get(self.actor, tenant))
        return self.listed(TenantPool, rows)
