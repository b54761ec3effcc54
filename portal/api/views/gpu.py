"""GPU nodes that let containers out, and the tenants that concerns today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.api.base import Resource, operation
from portal.api.serializers.gpu import GpuExposure
from portal.api.serializers.hosts import HostFilters
from tenancy.queries import gpu, hosts

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class GpuExposures(Resource):
    """All hosts."""

    tag = "hosts"

    @operation("listGpuExposure", {200: GpuExposure}, query=HostFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists each host's GPU nodes and the tenants exposed today (admins, auditors)."""
        asked = self.query.get
        rows = gpu.with_nodes(hosts.visible_to(self.actor))
        return self.listed(GpuExposure, rows, name=asked("name"), reachable=asked("reachable"))


class HostGpuExposure(Resource):
    """One host."""

    tag = "hosts"

    @operation("getGpuExposure", {200: GpuExposure})
    def get(self, _: Request, name: str) -> Response:
        """Tells of each GPU node which software it runs, what that is exposed to, what cures it, and whom it concerns."""
        return self.answer(GpuExposure, hosts.get(self.actor, name))
