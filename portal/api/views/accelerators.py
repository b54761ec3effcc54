"""The catalogue of accelerator classes, what hosts have of them, and tenants' limits: admins write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.api.base import Resource, operation
from portal.api.declared import DeclaredResource, reads, removes, writes
from portal.api.serializers.accelerators import (
    AcceleratorClass,
    AcceleratorLimit,
    ClassFilters,
    HostAccelerators,
    class_wish,
)
from portal.api.serializers.base import ListQuery
from tenancy import models
from tenancy.actions import accelerators as verbs
from tenancy.queries import accelerators, hosts, tenants
from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response


class AcceleratorClasses(Resource):
    """The catalogue."""

    tag = "accelerators"

    @operation("listAcceleratorClasses", {200: AcceleratorClass}, query=ClassFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists the accelerator classes by name."""
        return self.listed(AcceleratorClass, accelerators.all_(), offered=self.query.get("offered"))


class OneAcceleratorClass(DeclaredResource[models.AcceleratorClass]):
    """One class."""

    tag = "accelerators"
    kind = AcceleratorClass
    keys = {"name": "name"}

    @reads("getAcceleratorClass", AcceleratorClass)
    def get(self, _: Request, name: str) -> Response:
        """Reads an accelerator class: what it is on a host, and the policy for requests."""
        return self.told(name=name)

    @writes("putAcceleratorClass", AcceleratorClass)
    def put(self, request: Request, name: str) -> Response:
        """Names an accelerator class or changes it (admins); what it is on a host stays while it is granted."""
        return self.written(request, name=name)

    @removes("deleteAcceleratorClass", AcceleratorClass)
    def delete(self, request: Request, name: str) -> Response:
        """Removes a class that nobody ever asked for, and answers with what it was (admins)."""
        return self.removed(request, name=name)

    def rows(self, name: str) -> QuerySet[models.AcceleratorClass]:
        """By its name."""
        return accelerators.all_().filter(key=name)

    def write(self, name: str) -> None:
        """Makes or changes it."""
        verbs.put(by=self.actor, key=name, wish=class_wish(self.body))

    def remove(self, name: str) -> None:
        """Removes it."""
        verbs.delete(by=self.actor, key=name)

    def missing(self, name: str) -> str:
        """With the names that there are."""
        return accelerators.missing(name)


class OneHostAccelerators(Resource):
    """What a host has."""

    tag = "accelerators"

    @operation("getHostAccelerators", {200: HostAccelerators}, scope=Scope.HOSTS_READ)
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


class OneLimit(DeclaredResource[models.AcceleratorLimit]):
    """One limit."""

    tag = "accelerators"
    kind = AcceleratorLimit
    keys = {"class": "name", "tenant": "tenant"}

    @reads("getAcceleratorLimit", AcceleratorLimit)
    def get(self, _: Request, tenant: str, name: str) -> Response:
        """Reads a tenant's limit of a class; 404 where it has none."""
        return self.told(tenant=tenant, name=name)

    @writes("putAcceleratorLimit", AcceleratorLimit)
    def put(self, request: Request, tenant: str, name: str) -> Response:
        """Limits what a tenant may be granted of a class (admins); takes nothing back that is granted."""
        return self.written(request, tenant=tenant, name=name)

    @removes("deleteAcceleratorLimit", AcceleratorLimit)
    def delete(self, request: Request, tenant: str, name: str) -> Response:
        """Takes a limit away, and answers with what it was (admins)."""
        return self.removed(request, tenant=tenant, name=name)

    def rows(self, tenant: str, name: str) -> QuerySet[models.AcceleratorLimit]:
        """By its tenant and class."""
        found = tenants.get(self.actor, tenant)
        return accelerators.limits(self.actor, found).filter(accelerator__key=name)

    def write(self, tenant: str, name: str) -> None:
        """Sets it."""
        verbs.set_limit(by=self.actor, tenant_name=tenant, key=name, amount=self.body["amount"])

    def remove(self, tenant: str, name: str) -> None:
        """Takes it away."""
        verbs.set_limit(by=self.actor, tenant_name=tenant, key=name, amount=None)

    def missing(self, tenant: str, name: str) -> str:
        """As everywhere."""
        return accelerators.no_limit(tenant, name)
