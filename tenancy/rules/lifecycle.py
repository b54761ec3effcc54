"""From conditions to the one word people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy.enums import ConditionStatus, ConditionType, Phase
from tenancy.rules.conditions import BUILD_ORDER, Condition, summarise

if TYPE_CHECKING:
    from collections.abc import Iterable


def summary(conditions: Iterable[Condition], generation: int) -> Condition:
    """The ``Available`` condition of a cluster.

    A quarantine, sleep or a failed isolation report tells against it, of whichever generation; that
    there is no report yet does not.
    """
    by_type = {c.type: c for c in conditions}
    against = _against(by_type)
    if against is not None:
        status = ConditionStatus.FALSE
        return Condition(ConditionType.AVAILABLE, status, against.reason, against.message, generation)
    return summarise(by_type.values(), BUILD_ORDER, into=ConditionType.AVAILABLE, generation=generation)


def derive_phase(
    conditions: Iterable[Condition],
    *,
    generation: int,
    observed_generation: int,
    ever_ready: bool,
    deleting: bool,
    quarantined: bool = False,
    paused: bool = False,
) -> Phase:
    """The phase; a cluster is Ready, or Paused, only when the last spec was seen as a whole."""
    by_type = {c.type: c for c in conditions}
    if deleting:
        return Phase.DELETING
    if quarantined:
        return Phase.QUARANTINED
    approved = by_type.get(ConditionType.APPROVED)
    # A cluster that sleeps waits for nobody: it uses no devices.
    if not paused and approved is not None and approved.status is ConditionStatus.FALSE:
        return Phase.AWAITING_APPROVAL
    if _holds(by_type, ConditionType.STALLED):
        return Phase.FAILED
    if not ever_ready and not (paused and observed_generation >= generation):
        started = _holds(by_type, ConditionType.HOST_REACHABLE)
        return Phase.PROVISIONING if started else Phase.PENDING
    return _built(by_type, generation, observed_generation, paused=paused)


def _built(
    by_type: dict[ConditionType, Condition], generation: int, observed_generation: int, *, paused: bool
) -> Phase:
    """Of a cluster that was ready once, or sleeps."""
    if observed_generation < generation:
        return Phase.UPDATING
    if paused:
        return Phase.PAUSED if _holds(by_type, ConditionType.PAUSED) else Phase.DEGRADED
    available = summary(by_type.values(), generation).status
    return Phase.READY if available is ConditionStatus.TRUE else Phase.DEGRADED


def _holds(by_type: dict[ConditionType, Condition], kind: ConditionType) -> bool:
    condition = by_type.get(kind)
    return condition is not None and condition.true


def _against(by_type: dict[ConditionType, Condition]) -> Condition | None:
    for kind in (ConditionType.QUARANTINED, ConditionType.PAUSED):
        if _holds(by_type, kind):
            return by_type[kind]
    attested = by_type.get(ConditionType.ISOLATION_ATTESTED)
    return attested if attested and attested.status is ConditionStatus.FALSE else None
