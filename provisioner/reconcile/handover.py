"""A kubeconfig somebody waits for: minted from the tenant's API, or refused with what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Fault, Transient
from provisioner.ports import Rejected
from provisioner.reconcile import access
from provisioner.reconcile.control_plane import credentials_of
from provisioner.reconcile.names import account
from tenancy.actions.access import HELD_FOR
from tenancy.rules.names import SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from datetime import datetime

    from provisioner.ports import Guard, Hosts, Tenants
    from tenancy.rules.specs import DesiredAccess

PATIENCE: Final = timedelta(seconds=15)
"""For so long a fault is tried again before it is told to the one who waits."""


@dataclass(frozen=True)
class Minted:
    """Ready to be handed over."""

    kubeconfig: str
    expires_at: datetime


@dataclass(frozen=True)
class NotMinted:
    """Why there is none, and what to do."""

    message: str


def mint(
    wish: DesiredAccess, hosts: Hosts, tenants: Tenants, guard: Guard, now: datetime
) -> Minted | NotMinted:
    """Raises ``Transient`` while it is worth trying again."""
    name = f"{wish.cluster.tenant}/{wish.cluster.name}"
    if wish.cluster.deleting:
        return NotMinted(f"{name} is being deleted: it gives out no more kubeconfigs")
    if wish.cluster.quarantined:
        return NotMinted(f"{name} is in quarantine: it gives out no kubeconfigs")
    if wish.cluster.paused:
        return NotMinted(f"{name} is paused and its API does not run: set spec.paused to false first")
    try:
        return _minted(wish, hosts, tenants, guard)
    except Fault as fault:
        patient = wish.wanted_until - now > HELD_FOR - PATIENCE
        if isinstance(fault, Transient) and patient:
            raise
        return NotMinted(
            f"no kubeconfig of {name} could be had: {fault.message}. Ask again when it is Ready."
        )


def _minted(wish: DesiredAccess, hosts: Hosts, tenants: Tenants, guard: Guard) -> Minted | NotMinted:
    host = hosts.open(wish.cluster.host, guard)
    credentials = credentials_of(wish.cluster, host)
    if credentials is None:
        return NotMinted(
            f"{wish.cluster.tenant}/{wish.cluster.name} has no API server yet: wait until it is Ready"
        )
    tenant = tenants.open(credentials, guard)
    lifetime = max(wish.lifetime, access.SHORTEST)
    try:
        token = tenant.token(account(wish.role), SYSTEM_NAMESPACE, lifetime)
    except (Transient, Rejected):
        # The tenant may have deleted the account: it is theirs to lose and ours to bring back.
        access.prepare_role(tenant, wish.role)
        token = tenant.token(account(wish.role), SYSTEM_NAMESPACE, lifetime)
    text = access.kubeconfig(wish, credentials, token)
    return Minted(text, token.expires_at)
