"""What passes share while their process lives: ways to the hosts and the tenants, what was seen lately, where findings go."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from provisioner import config
from provisioner.adapters.hosts import RealHosts, RealTenants
from provisioner.outcomes import LeaseLost
from provisioner.reconcile.memory import Memory
from tenancy.actions import findings

if TYPE_CHECKING:
    from tenancy.actions.work import Lease
    from tenancy.rules.drift import Drift, Place


@cache
def hosts() -> RealHosts:
    """By what is registered of them; connections are kept."""
    given = config.load()
    return RealHosts(helm=given.helm, home=given.home, chart=given.chart)


@cache
def tenants() -> RealTenants:
    """The same for tenants' API servers."""
    return RealTenants()


@cache
def memory() -> Memory:
    """Of all passes of this process."""
    return Memory()


@dataclass(frozen=True)
class LeasedFindings:
    """``ports.Findings`` in the database."""

    lease: Lease

    def noticed(self, place: Place, drift: Drift) -> None:
        """See ``ports.Findings``."""
        self._kept(findings.noticed(self.lease, place, drift))

    def restored(self, place: Place, subject: str) -> None:
        """See ``ports.Findings``."""
        self._kept(findings.restored(self.lease, place, subject))

    def _kept(self, held: bool) -> None:  # noqa: FBT001 - the answer of an action
        if not held:
            msg = f"what was found came too late: the lease on {self.lease.object_id} is lost"
            raise LeaseLost(msg)
