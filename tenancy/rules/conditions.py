"""Conditions: what was seen, in Kubernetes' terms, and how they add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenancy.enums import ConditionStatus, ConditionType, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BUILD_ORDER: Final[tuple[ConditionType, ...]] = (
    ConditionType.APPROVED,
    ConditionType.HOST_REACHABLE,
    ConditionType.NAMESPACE_READY,
    ConditionType.LIMITS_APPLIED,
    ConditionType.NETWORK_ISOLATED,
    ConditionType.GUARD_RAILS_PROVEN,
    ConditionType.RELEASED,
    ConditionType.CONTROL_PLANE_AVAILABLE,
    ConditionType.TRAFFIC_BLOCKED,
    ConditionType.SANDBOX_ENFORCED,
    ConditionType.DNS_AVAILABLE,
    ConditionType.ACCESS_ISSUED,
    ConditionType.ADD_ONS_APPLIED,
)
"""The conditions that make a cluster available, in the order in which they come true."""
BY_STEPS: Final = BUILD_ORDER[1:]
"""Those of them that the provisioner's steps bring about; the first is a matter among people."""


@dataclass(frozen=True)
class Condition:
    """One observation of one fact at one generation of the spec."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str = ""
    observed_generation: int = 0

    @property
    def true(self) -> bool:
        """Whether the fact holds."""
        return self.status is ConditionStatus.TRUE


def summarise(
    conditions: Iterable[Condition],
    wanted: Sequence[ConditionType],
    *,
    into: ConditionType,
    generation: int,
) -> Condition:
    """Add up ``wanted``: False wins over Unknown wins over True; missing or stale is Unknown."""
    by_type = {c.type: c for c in conditions}
    seen = [_current(by_type.get(kind), kind, generation) for kind in wanted]
    for status in (ConditionStatus.FALSE, ConditionStatus.UNKNOWN):
        for condition in seen:
            if condition.status is status:
                return Condition(into, status, condition.reason, condition.message, generation)
    return Condition(into, ConditionStatus.TRUE, Reason.AS_WANTED, "", generation)


def _current(condition: Condition | None, kind: ConditionType, generation: int) -> Condition:
    if condition is None or condition.observed_generation < generation:
        return Condition(kind, ConditionStatus.UNKNOWN, Reason.NOT_YET_REPORTED, "", generation)
    return condition
