"""The ledger of devices beside what a host shows: what is amiss. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from tenancy.rules.specs import DeviceShare


@dataclass(frozen=True)
class Account:
    """One cluster on a host, and what the ledger gives it."""

    uid: UUID
    tenant: str
    cluster: str
    namespace: str
    built: bool
    """Its guard rails were seen in place: a quota that is not there now is missing."""
    shares: tuple[DeviceShare, ...] = ()
    pools: Mapping[str, str] = field(default_factory=dict)
    """Class → the pool whose nodes its devices are on."""

    def allowed(self) -> dict[str, int]:
        """Resource → what counts of it; at any time the host may have as many."""
        found: dict[str, int] = {}
        for share in self.shares:
            found[share.resource] = found.get(share.resource, 0) + share.held
        return found


@dataclass(frozen=True)
class Shortage:
    """A pool that has fewer devices than are promised there."""

    pool: str
    key: str
    capacity: int
    held: int


def allowed(accounts: Iterable[Account]) -> dict[str, int]:
    """The most of several looks at the ledger: the host was looked at in between."""
    most: dict[str, int] = {}
    for account in accounts:
        for resource, amount in account.allowed().items():
            most[resource] = max(most.get(resource, 0), amount)
    return most
