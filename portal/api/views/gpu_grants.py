"""Grants of accelerators: read, extended, returned early, proved by a receipt; and what was used of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID  # noqa: TC003 - DRF's views keep their annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema

from portal.api import schema
from portal.api.base import RETRY_AFTER, Resource, operation
from portal.api.serializers.gpu_grants import (
    EarlyReturn,
    Extension,
    GpuGrant,
    GrantFilters,
    TenantGrantFilters,
)
from portal.api.serializers.gpu_requests import GpuRequest, grant_address, request_address
from portal.api.single import Single
from portal.api.views.reports import JOSE
from tenancy.actions import grants as verbs
from tenancy.actions import requests
from tenancy.errors import Conflict
from tenancy.queries import grants, tenants
from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy.models import Grant


class GrantResource(Resource):
    """What the views of grants share."""

    tag = "gpu-grants"

    def look(self, **named: Any) -> None:  # noqa: ANN401 - parts of the address
        """By the grant itself where the address names one."""
        super().look(**named)
        if "uid" in named:
            grants.get(self.actor, named["uid"])


class TenantGrants(GrantResource):
    """The grants of a tenant."""

    @operation("listTenantGpuGrants", {200: GpuGrant}, query=TenantGrantFilters, listing=True)
    def get(self, _: Request, tenant: str) -> Response:
        """Lists a tenant's grants, newest first."""
        rows = grants.visible_to(self.actor, tenants.get(self.actor, tenant))
        return self.listed(GpuGrant, rows, **_exact(self.query))


class Grants(GrantResource):
    """The grants of all your tenants."""

    @operation("listGpuGrants", {200: GpuGrant}, query=GrantFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists the grants that you may see, newest first."""
        rows = grants.visible_to(self.actor)
        return self.listed(GpuGrant, rows, tenant__name=self.query.get("tenant"), **_exact(self.query))


class OneGrant(GrantResource, Single):
    """One grant."""

    kind = GpuGrant
    readiness = "Ready while it is in force, 503 before, 409 when it is over."

    @operation("getGpuGrant", {200: GpuGrant})
    def get(self, _: Request, uid: UUID) -> Response:
        """Reads a grant: what, from when until when, where, and where it is in its life."""
        return self.told(uid=uid)

    def found(self, uid: UUID) -> Grant:
        """By its uid."""
        return grants.get(self.actor, uid)


class Extend(GrantResource):
    """The verb."""

    @operation(
        "extendGpuGrant", {201: GpuRequest}, body=Extension, idempotent=True, scope=Scope.GPU_REQUESTS_WRITE
    )
    def post(self, _: Request, uid: UUID) -> Response:
        """Asks for more days of a grant that is not over (members, owners): a request, decided as any other."""
        until, why = self.body["until"], self.body["justification"]
        made = requests.extend(by=self.actor, grant_uid=uid, ends_on=until, justification=why)
        found = grants.get_request(self.actor, made.uid)
        return self.answer(GpuRequest, found, status=201, headers={"Location": request_address(found)})


class Return(GrantResource):
    """The verb."""

    @operation("returnGpuGrant", {202: GpuGrant}, body=EarlyReturn, idempotent=True)
    def post(self, _: Request, uid: UUID) -> Response:
        """Gives a grant back before its day (members, owners).

        Pods that hold its devices get the class's grace to finish; once the host was seen to have
        them back, the receipt is there.
        """
        verbs.return_early(by=self.actor, uid=uid, reason=self.body["reason"])
        headers = {"Location": grant_address(uid), "Retry-After": RETRY_AFTER}
        return self.answer(GpuGrant, grants.get(self.actor, uid), status=202, headers=headers)


class Receipt(GrantResource):
    """The signed form."""

    @extend_schema(
        operation_id="downloadGpuReceipt",
        summary="Downloads the signed receipt of a grant whose devices are back",
        description="JWS, compact; `./atoll attest verify` checks it offline (docs/gpu-quotas.md).",
        responses={(200, JOSE): OpenApiTypes.STR, **schema.problems((400, 401, 403, 404, 409, 503))},
    )
    def get(self, _: Request, uid: UUID) -> HttpResponse:
        """The envelope as it was signed."""
        row = grants.get(self.actor, uid)
        if not row.receipt:
            msg = "its devices are not back yet: the receipt is made when the host was seen to have them"
            raise Conflict(msg)
        name = f"{row.tenant.name}-{row.accelerator.key}-{row.uid.hex[:8]}.jws"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(row.receipt + "\n", content_type=JOSE, headers=headers)


def _exact(query: dict[str, Any]) -> dict[str, Any]:
    closed = query.get("closed")
    return {
        "accelerator__key": query.get("class_"),
        "closed_at__isnull": None if closed is None else not closed,
    }
