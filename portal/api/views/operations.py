"""Operations and the audit log: what was asked for, how far it is, and who it was."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - DRF's views keep their annotations

from portal.api.base import Resource, operation
from portal.api.serializers.operations import (
    AuditEvent,
    AuditFilters,
    Operation,
    OperationFilters,
    PlatformAuditFilters,
)
from tenancy.queries import audit, operations, tenants

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class Operations(Resource):
    """The operations of all your tenants."""

    tag = "operations"

    @operation("listOperations", {200: Operation}, query=OperationFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists operations, newest first."""
        asked = self.query.get
        return self.listed(
            Operation,
            operations.visible_to(self.actor),
            tenant__name=asked("tenant"),
            target_name=asked("cluster"),
            target_uid=asked("target"),
            state=asked("state"),
            kind=asked("kind"),
        )


class OneOperation(Resource):
    """One operation."""

    tag = "operations"

    @operation("getOperation", {200: Operation})
    def get(self, _: Request, uid: UUID) -> Response:
        """Reads an operation with its steps."""
        return self.answer(Operation, operations.get(self.actor, uid))


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


def _exact(query: dict[str, str]) -> dict[str, str | None]:
    return {column: query.get(column) for column in ("actor", "action", "target", "tenant")}
