"""The audit log: who did what, its head, and a bundle of it that is verified offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema

from portal.api import schema
from portal.api.base import Resource, operation
from portal.api.serializers import audit as wire
from portal.api.serializers.audit import AuditEvent, AuditFilters, ExportQuery, PlatformAuditFilters
from portal.streaming import NDJSON
from portal.streaming import bundle as streamed
from tenancy import policy
from tenancy.enums import Permission
from tenancy.queries import audit, bundle, tenants

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class TenantAudit(Resource):
    """What was done in a tenant."""

    tag = "audit"

    @operation("listTenantAudit", {200: AuditEvent}, query=AuditFilters, listing=True)
    def get(self, _: Request, tenant: str) -> Response:
        """Lists what was done in a tenant, newest first (owners, auditors, admins)."""
        rows = audit.visible_to(self.actor, tenants.get(self.actor, tenant))
        return self.listed(AuditEvent, rows, **_exact(self.query))


class PlatformAudit(Resource):
    """What was done anywhere."""

    tag = "audit"

    @operation("listAudit", {200: AuditEvent}, query=PlatformAuditFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists what was done anywhere, newest first (auditors, admins)."""
        return self.listed(AuditEvent, audit.visible_to(self.actor), **_exact(self.query))


class AuditHead(Resource):
    """The end of the chain."""

    tag = "audit"

    @operation("getAuditHead", {200: wire.AuditHead})
    def get(self, _: Request) -> Response:
        """Reads the log's head, its signature, and whether the log is as it was written (auditors, admins)."""
        policy.check(self.actor, Permission.AUDIT_VIEW)
        return self.answer(wire.AuditHead, audit.head())


class AuditExport(Resource):
    """The log as a bundle."""

    tag = "audit"

    @extend_schema(responses={(200, NDJSON): OpenApiTypes.STR, **schema.problems((400, 401, 403, 404, 503))})
    @operation("exportAudit", {}, query=ExportQuery)
    def get(self, _: Request) -> Response:
        """Exports the log up to the signed head, one JSON object a line; `./atoll audit verify` checks it offline."""
        policy.check(self.actor, Permission.AUDIT_VIEW)
        first = self.query["from"]
        return streamed(bundle.lines(first), f"atoll-audit-{first}.ndjson")  # type: ignore[return-value] # a Stream


def _exact(query: dict[str, str]) -> dict[str, str | None]:
    return {column: query.get(column) for column in ("actor", "action", "target", "tenant")}
