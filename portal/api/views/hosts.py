"""Host clusters: registered by admins, seen by the provisioner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.api.base import Resource, operation
from portal.api.declared import DeclaredResource, reads, removes, writes
from portal.api.serializers.hosts import Host, HostFilters
from tenancy import models
from tenancy.actions import hosts as verbs
from tenancy.enums import Exposure
from tenancy.queries import hosts

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response


class Hosts(Resource):
    """The host clusters."""

    tag = "hosts"

    @operation("listHosts", {200: Host}, query=HostFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists the host clusters, oldest first (admins, auditors)."""
        asked = self.query.get
        return self.listed(
            Host, hosts.visible_to(self.actor), name=asked("name"), reachable=asked("reachable")
        )


class OneHost(DeclaredResource[models.HostCluster]):
    """One host cluster."""

    tag = "hosts"
    kind = Host
    keys = {"name": "name"}
    readiness = "Ready when it was reached by this registration; 503 also while it is away."

    @reads("getHost", Host)
    def get(self, _: Request, name: str) -> Response:
        """Reads a host cluster's registration and what was last seen of it (admins, auditors)."""
        return self.told(name=name)

    @writes("putHost", Host)
    def put(self, request: Request, name: str) -> Response:
        """Registers a host cluster or changes its registration (admins).

        `kubeconfig` names where the workers find the credential; a pasted one is
        refused, for the database is no place for it.
        """
        return self.written(request, name=name)

    @removes("deleteHost", Host)
    def delete(self, request: Request, name: str) -> Response:
        """Forgets a host cluster that carries nothing any more, and answers with what it was (admins).

        What is installed on it stays there: uninstall the chart `helm/host` with Helm.
        """
        return self.removed(request, name=name)

    def rows(self, name: str) -> QuerySet[models.HostCluster]:
        """By its name."""
        return hosts.visible_to(self.actor).filter(name=name)

    def write(self, name: str) -> None:
        """Registers it."""
        body = self.body
        registration = verbs.HostRegistration(
            kubeconfig=body["kubeconfig"],
            exposure=Exposure(body["exposure"]),
            client_cidrs=tuple(body["client_cidrs"]),
            image_prefix=body["image_prefix"],
            kubernetes_versions=tuple(body["kubernetes_versions"]),
            control_plane_selector=body["control_plane_selector"],
            workload_selector=body["workload_selector"],
            allowed_registries=tuple(body["allowed_registries"]),
            require_digests=body["require_digests"],
            progress_file=body["progress_file"],
            audit_log=body["audit_log"],
            accepts_clusters=body["accepts_clusters"],
        )
        verbs.put(by=self.actor, name=name, registration=registration)

    def remove(self, name: str) -> None:
        """Forgets it."""
        verbs.delete(by=self.actor, name=name)

    def missing(self, name: str) -> str:
        """As everywhere."""
        return hosts.missing(name)
