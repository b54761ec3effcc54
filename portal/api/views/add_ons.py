"""The catalogue of add-ons: published by admins, named by templates and clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.api.base import Resource, operation
from portal.api.declared import DeclaredResource, reads, removes, writes
from portal.api.serializers.add_ons import AddOn
from portal.api.serializers.base import ListQuery
from tenancy import models
from tenancy.actions import add_ons as verbs
from tenancy.queries import add_ons

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response


class AddOns(Resource):
    """The catalogue."""

    tag = "templates"

    @operation("listAddOns", {200: AddOn}, query=ListQuery, listing=True)
    def get(self, _: Request) -> Response:
        """Lists the versions of all add-ons."""
        return self.listed(AddOn, add_ons.all_())


class AddOnVersions(Resource):
    """One of it, in all its versions."""

    tag = "templates"

    @operation("listAddOnVersions", {200: AddOn}, query=ListQuery, listing=True)
    def get(self, _: Request, name: str) -> Response:
        """Lists the versions of an add-on, newest first; none of one that is not there."""
        return self.listed(AddOn, add_ons.all_().filter(name=name))


class OneAddOn(DeclaredResource[models.AddOnVersion]):
    """One version of an add-on."""

    tag = "templates"
    kind = AddOn
    keys = {"name": "name", "version": "version"}

    @reads("getAddOn", AddOn)
    def get(self, _: Request, name: str, version: str) -> Response:
        """Reads a version of an add-on: the objects that it puts into a cluster."""
        return self.told(name=name, version=version)

    @writes("putAddOn", AddOn)
    def put(self, request: Request, name: str, version: str) -> Response:
        """Publishes a version of an add-on (admins); what is published never changes, but for its description."""
        return self.written(request, name=name, version=version)

    @removes("deleteAddOn", AddOn)
    def delete(self, request: Request, name: str, version: str) -> Response:
        """Removes a version that no cluster and no template names, and answers with what it was (admins)."""
        return self.removed(request, name=name, version=version)

    def rows(self, name: str, version: str) -> QuerySet[models.AddOnVersion]:
        """By its name and number."""
        return add_ons.of(name, version)

    def write(self, name: str, version: str) -> None:
        """Publishes it."""
        verbs.publish(by=self.actor, name=name, version=version, text=self.body["spec_text"])

    def remove(self, name: str, version: str) -> None:
        """Removes it."""
        verbs.delete(by=self.actor, name=name, version=version)

    def missing(self, name: str, version: str) -> str:
        """Which version of which add-on."""
        return verbs.missing(name, version)
