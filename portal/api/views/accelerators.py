"""The catalogue of accelerator classes, what hosts have of them, and tenants' limits: admins write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.api.base import Resource, agree, operation
from portal.api.preconditions import expectation, require
from portal.api.serializers.accelerators import (
    AcceleratorClass,
    AcceleratorLimit,
    ClassFilters,
    HostAccelerators,
    class_wish,
)
from portal.api.serializers.base import ListQuery
from tenancy import policy
from tenancy.actions import accelerators as verbs
from tenancy.actions.unit import atomic
from tenancy.enums import Permission
from tenancy.queries import accelerators, hosts, tenants

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class AcceleratorClasses(Resource):
    """The catalogue."""

    tag = "accelerators"

    @operation("listAcceleratorClasses", {200: AcceleratorClass}, query=ClassFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists the accelerator classes by name."""
        return self.listed(AcceleratorClass, accelerators.all_(), offered=self.query.get("offered"))


class OneAcceleratorClass(Resource):
    """One class."""

    tag = "accelerators"

    @operation("getAcceleratorClass", {200: AcceleratorClass})
    def get(self, _: Request, name: str) -> Response:
        """Reads an accelerator class: what it is on a host, and the policy for requests."""
        return self.answer(AcceleratorClass, accelerators.get(name))

    @operation(
        "putAcceleratorClass",
        {200: AcceleratorClass, 201: AcceleratorClass},
        body=AcceleratorClass,
        conditional=True,
        problems=(409,),
    )
    def put(self, request: Request, name: str) -> Response:
        """Names an accelerator class or changes it (admins); what it is on a host stays while it is granted."""
        agree(self.body.get("key"), name, "metadata.name")
        with atomic():
            old = accelerators.all_().filter(key=name).first()
            require(expectation(request), AcceleratorClass(old).data if old else None)
            found, created = verbs.put(by=self.actor, key=name, wish=class_wish(self.body))
        headers = {"Location": f"/api/v1/accelerator-classes/{name}"} if created else {}
        return self.answer(AcceleratorClass, found, status=201 if created else 200, headers=headers)

    @operation("deleteAcceleratorClass", {200: AcceleratorClass}, problems=(409,))
    def delete(self, _: Request, name: str) -> Response:
        """Removes a class that nobody ever asked for, and answers with what it was (admins)."""
        policy.check(self.actor, Permission.GPU_MANAGE)
        last = self.answer(AcceleratorClass, accelerators.get(name))
        verbs.delete(by=self.actor, key=name)
        return last


class OneHostAccelerators(Resource):
    """What a host has."""

    tag = "accelerators"

    @operation("getHostAccelerators", {200: HostAccelerators})
    def get(self, _: Request, name: str) -> Response:
        """Reads a host's accelerators by pool and node, and those that no class names yet (admins, auditors)."""
        host = hosts.get(self.actor, name)
        found = {
            "host": host.name,
            "stock": accelerators.stock(self.actor, host),
            "discovered": accelerators.discovered(self.actor, host),
        }
        return self.answer(HostAccelerators, found)


class Limits(Resource):
    """A tenant's limits."""

    tag = "accelerators"

    @operation("listAcceleratorLimits", {200: AcceleratorLimit}, query=ListQuery, listing=True)
    def get(self, _: Request, tenant: str) -> Response:
        """Lists the most that a tenant may be granted, by class; a class without a limit is not in it."""
        rows = accelerators.limits(self.actor, tenants.get(self.actor, tenant))
        return self.listed(AcceleratorLimit, rows)


class OneLimit(Resource):
    """One limit."""

    tag = "accelerators"

    @operation("getAcceleratorLimit", {200: AcceleratorLimit})
    def get(self, _: Request, tenant: str, name: str) -> Response:
        """Reads a tenant's limit of a class; 404 where it has none."""
        found = tenants.get(self.actor, tenant)
        return self.answer(AcceleratorLimit, accelerators.get_limit(self.actor, found, name))

    @operation(
        "putAcceleratorLimit",
        {200: AcceleratorLimit, 201: AcceleratorLimit},
        body=AcceleratorLimit,
        conditional=True,
        problems=(409,),
    )
    def put(self, request: Request, tenant: str, name: str) -> Response:
        """Limits what a tenant may be granted of a class (admins); takes nothing back that is granted."""
        agree(self.body.get("accelerator", {}).get("key"), name, "metadata.class")
        agree(self.body.get("tenant", {}).get("name"), tenant, "metadata.tenant")
        with atomic():
            found = tenants.get(self.actor, tenant)
            old = accelerators.limits(self.actor, found).filter(accelerator__key=name).first()
            require(expectation(request), AcceleratorLimit(old).data if old else None)
            verbs.set_limit(by=self.actor, tenant_name=tenant, key=name, amount=self.body["amount"])
            row = accelerators.get_limit(self.actor, found, name)
        headers = {} if old else {"Location": f"/api/v1/tenants/{tenant}/accelerator-limits/{name}"}
        return self.answer(AcceleratorLimit, row, status=200 if old else 201, headers=headers)

    @operation("deleteAcceleratorLimit", {200: AcceleratorLimit}, problems=(409,))
    def delete(self, _: Request, tenant: str, name: str) -> Response:
        """Takes a limit away, and answers with what it was (admins)."""
        found = tenants.get(self.actor, tenant)
        policy.check(self.actor, Permission.GPU_MANAGE)
        last = self.answer(AcceleratorLimit, accelerators.get_limit(self.actor, found, name))
        verbs.set_limit(by=self.actor, tenant_name=tenant, key=name, amount=None)
        return last
