"""Whether add-ons run, as it was last seen of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tenancy.enums import ConditionStatus, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class AddOnState:
    """Of one version of an add-on in one cluster."""

    name: str
    version: str
    status: ConditionStatus
    """Whether all that it brings is there and runs."""
    reason: Reason
    message: str = ""
    """Which object does not, why, and what to do; empty where all do."""


def told(wanted: Mapping[str, str], seen: Iterable[AddOnState], otherwise: Reason) -> tuple[AddOnState, ...]:
    """Each that is wanted, in its order; ``otherwise`` is why nothing is known of one that was not seen."""
    known = {(one.name, one.version): one for one in seen}
    return tuple(
        known.get((name, version)) or AddOnState(name, version, ConditionStatus.UNKNOWN, otherwise)
        for name, version in wanted.items()
    )


def to_json(states: Iterable[AddOnState]) -> list[dict[str, str]]:
    """For the database column."""
    return [
        {
            "name": one.name,
            "version": one.version,
            "status": one.status.value,
            "reason": one.reason.value,
            "message": one.message,
        }
        for one in states
    ]


def from_json(data: Iterable[dict[str, Any]]) -> tuple[AddOnState, ...]:
    """Of the database column."""
    return tuple(
        AddOnState(
            one["name"],
            one["version"],
            ConditionStatus(one["status"]),
            Reason(one["reason"]),
            one["message"],
        )
        for one in data
    )
