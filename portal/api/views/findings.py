"""What was found amiss on hosts: for admins and auditors, and for the members of a cluster's tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portal.api.base import Resource, operation
from portal.api.serializers.findings import Finding, FindingFilters, PlatformFindingFilters
from tenancy.queries import clusters, findings

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class PlatformFindings(Resource):
    """Everything that was found amiss."""

    tag = "findings"

    @operation("listFindings", {200: Finding}, query=PlatformFindingFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists what was found amiss on hosts, newest first (auditors, admins)."""
        asked = self.query.get
        return self.listed(
            Finding,
            findings.visible_to(self.actor),
            host=asked("host"),
            tenant=asked("tenant"),
            cluster_name=asked("cluster"),
            **_exact(self.query),
        )


class ClusterFindings(Resource):
    """What was found amiss with a cluster's guard rails."""

    tag = "findings"

    @operation("listClusterFindings", {200: Finding}, query=FindingFilters, listing=True)
    def get(self, _: Request, tenant: str, name: str) -> Response:
        """Lists what was found amiss with the guard rails of a cluster, newest first."""
        cluster = clusters.get(self.actor, tenant, name)
        return self.listed(Finding, findings.of_cluster(self.actor, cluster), **_exact(self.query))


def _exact(query: dict[str, Any]) -> dict[str, Any]:
    return {"kind": query.get("kind"), "restored_at__isnull": query.get("open")}
