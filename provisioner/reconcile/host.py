"""First step of every pass: the host cluster answers, and what is there of the cluster's namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Wait
from provisioner.ports import NAMESPACES, HostMisconfigured, Refused, Unreachable
from tenancy.enums import Reason

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.reconcile.scope import Scope

STARTING: Final = 1.0
"""Seconds between looks while the host is being built."""
AWAY: Final = 10.0
"""Seconds between looks while it does not answer; the host's own look brings them forward."""
_GIVE_UP: Final = 2.0
"""For so long one failure to connect stands for all clusters of the host."""


def reach(scope: Scope) -> Outcome:
    """Opens the host and reads the namespace; the answer proves that the host is reachable."""
    access = scope.desired.host
    known = scope.memory.recall("unreachable", access.uid, within=_GIVE_UP)
    if known is not None:
        return Wait(AWAY, known.reason, known.message)
    try:
        scope.host = scope.hosts.open(access, scope.guard)
        scope.namespace = scope.host.kube.get(NAMESPACES, scope.desired.namespace)
    except (HostMisconfigured, Unreachable) as fault:
        building = scope.hosts.starting(access)
        if building:
            return Wait(STARTING, Reason.HOST_STARTING, building)
        scope.memory.remember("unreachable", access.uid, value=fault)
        return Wait(AWAY, fault.reason, fault.message)
    except Refused as fault:
        return Wait(AWAY, fault.reason, fault.message)
    return Done()


def offered(scope: Scope) -> Outcome:
    """As ``reach``, and the host is known to offer what the cluster needs."""
    reached = reach(scope)
    if not isinstance(reached, Done) or scope.desired.effective is not None:
        return reached
    name = scope.desired.host.name
    if scope.desired.host.facts is None:
        return Wait(STARTING, Reason.WAITING, f"host {name!r} answers; what it offers is being read")
    return Wait(AWAY, Reason.SANDBOX_UNAVAILABLE, scope.desired.refusal)
