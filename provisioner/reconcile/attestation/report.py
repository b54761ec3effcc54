"""One pass towards one isolation report: send the probe, wait for it, look at everything, tell.

Nothing is kept between passes but the probe pod itself, found by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Fault, Wait
from provisioner.ports import PODS, HostMisconfigured
from provisioner.reconcile import pods
from provisioner.reconcile.attestation import claims, probe
from provisioner.reconcile.attestation.look import Look
from provisioner.reconcile.control_plane import credentials_of
from provisioner.release import host_chart
from tenancy.enums import Reason
from tenancy.rules.names import SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from provisioner.ports import Guard, Hosts, Kube, Tenants
    from provisioner.reconcile.memory import Memory
    from tenancy.rules.attestation import Claim
    from tenancy.rules.specs import DesiredReport

PATIENCE: Final = timedelta(seconds=60)
"""A probe that has told nothing by then could not run."""
_LOOK: Final = 0.3


@dataclass(frozen=True)
class Made:
    """What was seen, ready to be signed."""

    claims: tuple[Claim, ...]
    policies: str
    """Version of the host policies that were wanted."""


@dataclass(frozen=True)
class NotMade:
    """Why there is no report."""

    message: str


def make(
    wish: DesiredReport,
    hosts: Hosts,
    tenants: Tenants,
    guard: Guard,
    *,
    charts: Path,
    memory: Memory,
    now: Callable[[], datetime],
) -> Made | NotMade | Wait:
    """A ``Wait`` while the probe pod is at work; a host that does not answer makes claims not run."""
    if wish.cluster.deleting or wish.cluster.quarantined:
        name = f"{wish.cluster.tenant}/{wish.cluster.name}"
        return NotMade(f"{name} is no longer in use: it is being deleted, or in quarantine")
    if wish.cluster.paused:
        name = f"{wish.cluster.tenant}/{wish.cluster.name}"
        return NotMade(f"{name} is paused and nothing of it runs: set spec.paused to false, then ask again")
    late = wish.started_at is not None and now() - wish.started_at > PATIENCE
    try:
        host = hosts.open(wish.cluster.host, guard)
    except HostMisconfigured as fault:
        return NotMade(fault.message) if late else Wait(1.0, fault.reason, fault.message)
    try:
        tenant = _tenant(wish, hosts, tenants, guard)
        heard = _heard(wish, tenant, host.kube)
    except Fault as fault:
        tenant, heard = None, probe.Heard(why=f"the probe could not be sent: {fault.message}")
        if not late:
            return Wait(1.0, fault.reason, fault.message)
    if isinstance(heard, Wait):
        if not late:
            return heard
        heard = probe.Heard(why=f"the probe did not end within {PATIENCE.seconds} s: {heard.message}")
    look = Look(wish.cluster, host, heard, charts, memory)
    found = tuple(claims.judged(look, now, neighbour=wish.neighbour is not None))
    _remove(wish, tenant)
    return Made(found, host_chart.version(look.host_chart))


def _tenant(wish: DesiredReport, hosts: Hosts, tenants: Tenants, guard: Guard) -> Kube:
    credentials = credentials_of(wish.cluster, hosts.open(wish.cluster.host, guard))
    if credentials is None:
        msg = "the tenant's API has no address or no key yet"
        raise Fault(msg, Reason.NOT_READY)
    return tenants.open(credentials, guard)


def _heard(wish: DesiredReport, tenant: Kube, host: Kube) -> probe.Heard | Wait:
    seen = tenant.get(PODS, probe.name(wish.uid), SYSTEM_NAMESPACE)
    if seen is None:
        tenant.create(PODS, probe.pod(wish, probe.targets(wish, host)))
        return Wait(_LOOK, Reason.PROBE_RUNNING, "a probe was sent")
    if not pods.ended(seen):
        return Wait(_LOOK, Reason.PROBE_RUNNING, pods.explain([seen], "isolation probe")[1])
    return probe.read(seen)


def _remove(wish: DesiredReport, tenant: Kube | None) -> None:
    """The pod ends by its own deadline where it cannot be deleted now."""
    if tenant is None:
        return
    try:
        tenant.delete(PODS, probe.name(wish.uid), SYSTEM_NAMESPACE, grace=0)
    except Fault:
        return
