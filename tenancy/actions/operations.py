"""Operations: opened with a change, closed by what is seen."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from tenancy.actions import events
from tenancy.enums import OperationKind, OperationState
from tenancy.models import Operation

if TYPE_CHECKING:
    from uuid import UUID

    from tenancy.models import VirtualCluster

KEPT: Final = timedelta(days=30)


def open_(cluster: VirtualCluster, kind: OperationKind, by: str) -> Operation:
    """Starts an operation; the one that ran on the same cluster is superseded."""
    close(cluster.uid, OperationState.SUPERSEDED, code="superseded", message=f"a later {kind} took its place")
    return Operation.objects.create(
        tenant=cluster.tenant,
        kind=kind,
        target_uid=cluster.uid,
        target_name=cluster.name,
        generation=cluster.generation,
        created_by=by,
    )


def close(target: UUID, state: OperationState, *, code: str = "", message: str = "") -> None:
    """Ends the running operation of a cluster, if there is one."""
    running = Operation.objects.filter(target_uid=target, state=OperationState.RUNNING)
    found = running.select_related("tenant").first()
    if found is None:
        return
    found.state, found.error_code = state.value, code
    values = {"state": state, "finished_at": timezone.now(), "error_code": code, "error_message": message}
    if running.filter(pk=found.pk).update(**values):
        events.operation_finished(found)


def sweep() -> int:
    """Drops what ended more than 30 days ago; returns how many."""
    old = Operation.objects.filter(finished_at__lt=timezone.now() - KEPT)
    return old.delete()[0]
