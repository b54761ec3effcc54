"""Host clusters: registered by admins, seen by the provisioner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.api.base import RETRY_AFTER, Resource, agree, operation
from portal.api.preconditions import expectation, require
from portal.api.serializers.hosts import Host, HostFilters
from tenancy.actions import hosts as verbs
from tenancy.actions.unit import atomic
from tenancy.enums import Exposure
from tenancy.queries import hosts

if TYPE_CHECKING:
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


class OneHost(Resource):
    """One host cluster."""

    tag = "hosts"

    @operation("getHost", {200: Host})
    def get(self, _: Request, name: str) -> Response:
        """Reads a host cluster's registration and what was last seen of it (admins, auditors)."""
        return self.answer(Host, hosts.get(self.actor, name))

    @operation("putHost", {200: Host, 201: Host}, body=Host, conditional=True)
    def put(self, request: Request, name: str) -> Response:
        """Registers a host cluster or changes its registration (admins).

        `kubeconfig` names where the workers find the credential; a pasted one is
        refused, for the database is no place for it.
        """
        agree(self.body.get("name"), name, "metadata.name")
        with atomic():
            old = hosts.visible_to(self.actor).filter(name=name).first()
            require(expectation(request), Host(old).data if old else None)
            found, created = verbs.put(by=self.actor, name=name, registration=self._wish())
        headers = {"Retry-After": RETRY_AFTER}
        if created:
            headers["Location"] = f"/api/v1/hosts/{name}"
        return self.answer(Host, found, status=201 if created else 200, headers=headers)

    def _wish(self) -> verbs.HostRegistration:
        return verbs.HostRegistration(
            kubeconfig=self.body["kubeconfig"],
            exposure=Exposure(self.body["exposure"]),
            client_cidrs=tuple(self.body["client_cidrs"]),
            image_prefix=self.body["image_prefix"],
            kubernetes_versions=tuple(self.body["kubernetes_versions"]),
            control_plane_selector=self.body["control_plane_selector"],
            workload_selector=self.body["workload_selector"],
            allowed_registries=tuple(self.body["allowed_registries"]),
            require_digests=self.body["require_digests"],
            progress_file=self.body["progress_file"],
            audit_log=self.body["audit_log"],
            accepts_clusters=self.body["accepts_clusters"],
        )
