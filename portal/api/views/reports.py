"""Isolation reports: asked for, read, downloaded; and the keys by which anybody verifies them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - DRF's views keep their annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema

from portal.api import schema
from portal.api.base import RETRY_AFTER, Resource, operation
from portal.api.serializers.reports import Report, ReportFilters, SigningKeys, address
from portal.api.single import Single
from portal.api.views.health import OpenResource
from tenancy.actions import reports as verbs
from tenancy.errors import Conflict
from tenancy.queries import clusters, reports

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy.models import IsolationReport

JOSE = "application/jose"


class Reports(Resource):
    """The reports of a cluster."""

    tag = "isolation"
    resource = "reports"

    @operation("listReports", {200: Report}, query=ReportFilters, listing=True)
    def get(self, _: Request, tenant: str, name: str) -> Response:
        """Lists a cluster's isolation reports, newest first."""
        rows = reports.of_cluster(clusters.get(self.actor, tenant, name))
        return self.listed(Report, rows, state=self.query.get("state"))

    @operation("createReport", {202: Report}, idempotent=True, problems=(409,))
    def post(self, _: Request, tenant: str, name: str) -> Response:
        """Asks for an isolation report, made within seconds; while one is being made, that is the answer."""
        row = verbs.request(by=self.actor, tenant_name=tenant, name=name)
        headers = {"Location": address(row), "Retry-After": RETRY_AFTER}
        return self.answer(Report, row, status=202, headers=headers)


class OneReport(Single):
    """One report."""

    tag = "isolation"
    resource = "reports"
    kind = Report
    readiness = "Ready when it is signed, whatever it says, 409 when none could be made."

    @operation("getReport", {200: Report})
    def get(self, _: Request, tenant: str, name: str, uid: UUID) -> Response:
        """Reads a report: its claims, each with its probe, time, result and evidence."""
        return self.told(tenant=tenant, name=name, uid=uid)

    def found(self, tenant: str, name: str, uid: UUID) -> IsolationReport:
        """By its cluster and uid."""
        return reports.get(clusters.get(self.actor, tenant, name), uid)


class ReportDownload(Resource):
    """The signed form."""

    tag = "isolation"
    resource = "reports"

    @extend_schema(
        operation_id="downloadReport",
        summary="Downloads the signed report",
        description="JWS, compact; `./atoll attest verify` checks it offline (docs/attestation.md).",
        responses={(200, JOSE): OpenApiTypes.STR, **schema.problems((400, 401, 403, 404, 409, 503))},
    )
    def get(self, _: Request, tenant: str, name: str, uid: UUID) -> HttpResponse:
        """The envelope as it was signed."""
        row = reports.get(clusters.get(self.actor, tenant, name), uid)
        if not row.envelope:
            msg = f"report {uid} is {row.state}: {row.error or 'it is made within seconds, ask again'}"
            raise Conflict(msg)
        headers = {"Content-Disposition": f'attachment; filename="{tenant}-{name}-{uid.hex[:8]}.jws"'}
        return HttpResponse(row.envelope + "\n", content_type=JOSE, headers=headers)


class AttestationKeys(OpenResource):
    """The public keys."""

    tag = "isolation"

    @operation("getAttestationKeys", {200: SigningKeys}, open=True, problems=(429,))
    def get(self, _: Request) -> Response:
        """Publishes the keys by which isolation reports are verified (a JWK Set); needs no sign-in."""
        return self.answer(SigningKeys, {"keys": reports.keys()})
