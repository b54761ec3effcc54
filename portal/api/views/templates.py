"""Cluster templates: published by admins, used by the teams they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portal.api.base import Resource, operation
from portal.api.declared import DeclaredResource, reads, removes, writes
from portal.api.preconditions import expectation
from portal.api.serializers.base import ListQuery
from portal.api.serializers.templates import (
    Template,
    TemplateFilters,
    TemplateImpact,
    TemplateVersion,
    VersionFilters,
    VersionPlan,
)
from tenancy import models, policy
from tenancy.actions import templates as verbs
from tenancy.enums import Permission
from tenancy.queries import impact, templates
from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response


class Templates(Resource):
    """The templates."""

    tag = "templates"

    @operation("listTemplates", {200: Template}, query=TemplateFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists the templates that your teams may use or do use, by name (admins, auditors: all)."""
        rows = templates.visible_to(self.actor)
        return self.listed(Template, rows, deprecated=self.query.get("deprecated"))


class OneTemplate(DeclaredResource[models.ClusterTemplate]):
    """One template."""

    tag = "templates"
    kind = Template
    keys = {"name": "name"}

    @reads("getTemplate", Template)
    def get(self, _: Request, name: str) -> Response:
        """Reads a template."""
        return self.told(name=name)

    @writes("putTemplate", Template)
    def put(self, request: Request, name: str) -> Response:
        """Makes a template or changes who may use it (admins); clusters keep what they have of it."""
        return self.written(request, name=name)

    @removes("deleteTemplate", Template)
    def delete(self, request: Request, name: str) -> Response:
        """Removes a template that no cluster stands on, with all its versions, and answers with what it was (admins)."""
        return self.removed(request, name=name)

    def rows(self, name: str) -> QuerySet[models.ClusterTemplate]:
        """By its name."""
        return templates.visible_to(self.actor).filter(name=name)

    def write(self, name: str) -> None:
        """Makes or changes it."""
        named = self.body["named"]
        wish = verbs.TemplateWish(
            description=self.body["description"],
            deprecated=self.body["deprecated"],
            tenants=None if named is None else tuple(dict.fromkeys(named)),
        )
        verbs.put(by=self.actor, name=name, wish=wish)

    def remove(self, name: str) -> None:
        """Removes it."""
        verbs.delete(by=self.actor, name=name)

    def missing(self, name: str) -> str:
        """Unknown ones and others' alike."""
        return templates.missing(name)


class Versions(Resource):
    """The versions of a template."""

    tag = "templates"

    @operation("listTemplateVersions", {200: TemplateVersion}, query=VersionFilters, listing=True)
    def get(self, _: Request, name: str) -> Response:
        """Lists the versions of a template, newest first."""
        rows = templates.get(self.actor, name).versions.select_related("template")
        return self.listed(TemplateVersion, rows, state=self.query.get("state"))


class OneVersion(DeclaredResource[models.TemplateVersion]):
    """One version."""

    tag = "templates"
    kind = TemplateVersion
    keys = {"template": "name", "version": "version"}

    @reads("getTemplateVersion", TemplateVersion)
    def get(self, _: Request, name: str, version: str) -> Response:
        """Reads a version of a template: the spec that clusters begin with, its parameters, and what it locks."""
        return self.told(name=name, version=version)

    @writes("putTemplateVersion", TemplateVersion, plan=VersionPlan)
    def put(self, request: Request, name: str, version: str) -> Response:
        """Publishes a version (admins); what is published never changes, but for its state.

        Clusters whose range it is in go on to it by themselves. With `dry_run=true` the
        answer tells for each of them what would come of it.
        """
        policy.check_look(self.actor, Permission.TEMPLATE_MANAGE)
        return self.written(request, name=name, version=version)

    @removes("deleteTemplateVersion", TemplateVersion)
    def delete(self, request: Request, name: str, version: str) -> Response:
        """Removes a version that no cluster stands on, and answers with what it was (admins).

        Its number may be published again with the same content, never with another. To keep clusters
        from beginning with a version that others stand on, set its state to `yanked`.
        """
        policy.check_look(self.actor, Permission.TEMPLATE_MANAGE)
        return self.removed(request, name=name, version=version)

    def rows(self, name: str, version: str) -> QuerySet[models.TemplateVersion]:
        """By the name of its template and its own."""
        return templates.versions_of(templates.get(self.actor, name), version)

    def write(self, name: str, version: str) -> None:
        """Publishes it, or changes its state."""
        verbs.publish(by=self.actor, name=name, version=version, text=self.body["spec_text"])

    def remove(self, name: str, version: str) -> None:
        """Removes it."""
        verbs.withdraw(by=self.actor, name=name, version=version)

    def planned(self, request: Request, name: str, version: str) -> Response:
        """Tells of the clusters, too."""
        text, expect = self.body["spec_text"], expectation(request)
        return self.answer(
            VersionPlan, verbs.plan(by=self.actor, name=name, version=version, text=text, expect=expect)
        )

    def missing(self, name: str, version: str) -> str:
        """Which version of which template."""
        return templates.missing_version(name, version)


class VersionImpact(Resource):
    """What a version means for clusters."""

    tag = "templates"

    @operation(
        "listTemplateImpact",
        {200: TemplateImpact},
        query=ListQuery,
        listing=True,
        scope=Scope.CLUSTERS_READ,  # it tells of clusters
    )
    def get(self, _: Request, name: str, version: str) -> Response:
        """Lists the clusters you may see that stand on the template, each with what this version would change."""
        self.version = templates.get_version(self.actor, name, version)
        return self.listed(TemplateImpact, impact.users_of(self.actor, self.version.template))

    def list_context(self, found: list[models.VirtualCluster]) -> dict[str, Any]:  # noqa: ARG002 - of ``Resource``
        """The version that is weighed."""
        return {"version": self.version}
