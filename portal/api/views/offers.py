"""What a tenant may choose for a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.api.base import Resource, operation
from portal.api.serializers.offers import Offers
from tenancy.queries import offers, tenants

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class TenantOffers(Resource):
    """Hosts, versions, isolation models and sandboxes, with the reason where one is not offered."""

    tag = "tenants"

    @operation("getOffers", {200: Offers})
    def get(self, _: Request, tenant: str) -> Response:
        """Tells what a tenant may choose today, and why not the rest."""
        found = tenants.get(self.actor, tenant)
        return self.answer(Offers, {"tenant": found, "hosts": offers.of_tenant(self.actor, found)})
