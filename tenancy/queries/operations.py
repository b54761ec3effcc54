"""Reads of operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy.enums import OperationState
from tenancy.errors import NotFound
from tenancy.models import Operation
from tenancy.queries import tenants

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.models import Tenant
    from tenancy.policy import Actor


def visible_to(actor: Actor, tenant: Tenant | None = None) -> QuerySet[Operation]:
    """The operations an actor may see, newest first."""
    rows = Operation.objects.filter(tenant__in=tenants.visible_to(actor)).select_related("tenant")
    return rows.filter(tenant=tenant) if tenant is not None else rows


def get(actor: Actor, uid: UUID) -> Operation:
    """One operation; ``NotFound`` for unknown and foreign ones alike."""
    found = visible_to(actor).filter(uid=uid).first()
    if found is None:
        msg = f"there is no operation {uid}, or none that you may see"
        raise NotFound(msg)
    return found


def running(actor: Actor, targets: Iterable[UUID]) -> dict[UUID, UUID]:
    """Target → the operation at work on it, for many targets in one read."""
    rows = visible_to(actor).filter(target_uid__in=list(targets), state=OperationState.RUNNING)
    return dict(rows.values_list("target_uid", "uid"))
