"""Operations: what was asked for, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - DRF's views keep their annotations

from portal.api.base import Resource, operation
from portal.api.serializers.operations import Operation, OperationFilters
from portal.api.single import Single
from tenancy.queries import operations

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy import models


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


class OneOperation(Single):
    """One operation."""

    tag = "operations"
    kind = Operation
    readiness = "Ready when it has succeeded, 409 when it failed or a later change took its place."

    @operation("getOperation", {200: Operation})
    def get(self, _: Request, uid: UUID) -> Response:
        """Reads an operation with its steps."""
        return self.told(uid=uid)

    def found(self, uid: UUID) -> models.Operation:
        """By its uid."""
        return operations.get(self.actor, uid)
