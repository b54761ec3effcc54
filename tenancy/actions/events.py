"""Telling those who listen; what is audited is told by its audit row (``rules.events``), the rest from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenancy.actions import unit
from tenancy.event_enums import EventType
from tenancy.rules import chain
from tenancy.rules.events import Happening, camel

if TYPE_CHECKING:
    from tenancy.models import Operation, VirtualCluster


def tell(kind: EventType, tenant: str, reference: dict[str, str], **data: Any) -> None:  # noqa: ANN401 - JSON
    """Adds an event, written when the outermost unit ends; refuses to run outside one."""
    told = {camel(name): chain.plain(value) for name, value in data.items()}
    unit.collect(Happening(kind, tenant, {"object": reference, **told}))


def phase_changed(cluster: VirtualCluster, before: str) -> None:
    """After a write of the phase; tells nothing where it is as it was."""
    if cluster.phase == before:
        return
    tell(
        EventType.CLUSTER_PHASE_CHANGED,
        cluster.tenant.name,
        {"kind": "cluster", "name": cluster.name},
        uid=cluster.uid,
        generation=cluster.generation,
        observed_generation=cluster.observed_generation,
        old_phase=str(before),
        new_phase=str(cluster.phase),
    )


def operation_finished(operation: Operation) -> None:
    """After the write of its end."""
    tell(
        EventType.OPERATION_FINISHED,
        operation.tenant.name,
        {"kind": "operation", "name": str(operation.uid)},
        operation=operation.kind,
        state=operation.state,
        cluster=operation.target_name,
        uid=operation.target_uid,
        generation=operation.generation,
        **({"code": operation.error_code} if operation.error_code else {}),
    )
