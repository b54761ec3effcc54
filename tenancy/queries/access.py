"""Reads of kubeconfigs that are waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from tenancy.enums import AccessState, Role
from tenancy.models import AccessRequest
from tenancy.queries.clusters import to_desired
from tenancy.rules.specs import DesiredAccess

if TYPE_CHECKING:
    from uuid import UUID


def desired(uid: UUID) -> DesiredAccess | None:
    """What to mint; ``None`` when nobody waits for it any longer."""
    row = (
        AccessRequest.objects.select_related("cluster__tenant", "cluster__host", "user")
        .filter(uid=uid, state=AccessState.PENDING, wanted_until__gt=timezone.now())
        .first()
    )
    if row is None:
        return None
    return DesiredAccess(
        uid=row.uid,
        cluster=to_desired(row.cluster),
        user=row.user.username,
        role=Role(row.role),
        lifetime=row.lifetime,
        state=AccessState(row.state),
        wanted_until=row.wanted_until,
    )


def is_pending(uid: UUID) -> bool:
    """Whether a worker still has to answer; a plain read for those who look often."""
    return AccessRequest.objects.filter(uid=uid, state=AccessState.PENDING).exists()
