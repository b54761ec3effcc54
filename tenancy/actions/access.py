"""Kubeconfigs: asked for, minted by a worker, handed over sealed, collected once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.utils import timezone

from tenancy import policy
from tenancy.actions import audit, work
from tenancy.actions.unit import atomic
from tenancy.enums import (
    AccessState,
    ConditionStatus,
    ConditionType,
    Permission,
    PlatformRole,
    Role,
    WorkKind,
)
from tenancy.errors import Asleep, BeingDeleted, Conflict, FieldError, InQuarantine, Invalid, NotFound
from tenancy.models import AccessRequest
from tenancy.queries import clusters
from tenancy.rules import sealing

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenancy.actions.work import Lease
    from tenancy.models import VirtualCluster
    from tenancy.policy import Actor

SHORTEST: Final = 600
LONGEST: Final = 3600
DEFAULT: Final = 3600
"""Lifetimes of a kubeconfig's token, in seconds."""
HELD_FOR: Final = timedelta(seconds=60)
"""A kubeconfig that nobody collects is gone after this."""


@dataclass(frozen=True)
class Collected:
    """What became of a request; the kubeconfig is in it once."""

    state: AccessState
    kubeconfig: str = ""
    expires_at: datetime | None = None
    error: str = ""


@atomic
def request(*, by: Actor, tenant_name: str, name: str, lifetime: int = DEFAULT) -> AccessRequest:
    """Asks for a kubeconfig with the rights of the caller's role and a lifetime in seconds."""
    cluster = clusters.get(by, tenant_name, name)
    policy.check(by, Permission.CLUSTER_ACCESS, cluster.tenant)
    if not SHORTEST <= lifetime <= LONGEST:
        detail = f"{lifetime} seconds: give from {SHORTEST} to {LONGEST} (10 minutes to an hour)"
        raise Invalid(detail, errors=(FieldError("lifetime", "out-of-range", detail),))
    _refuse_too_early(cluster)
    row = AccessRequest.objects.create(
        cluster=cluster,
        user=by.user,
        role=_role(by, cluster),
        lifetime=lifetime,
        wanted_until=timezone.now() + HELD_FOR,
    )
    _note(by.name, "kubeconfig.request", cluster, role=row.role, lifetime=lifetime, uid=row.uid)
    work.request(WorkKind.ACCESS, row.uid)
    return row


@atomic
def collect(*, by: Actor, uid: UUID) -> Collected:
    """The kubeconfig if it is there: read once, then gone."""
    row = (
        AccessRequest.objects.select_for_update()
        .filter(uid=uid, user=by.user, wanted_until__gt=timezone.now())
        .first()
    )
    narrow = by.read_only and row is not None and row.role != Role.VIEWER
    if row is None or narrow or row.state == AccessState.COLLECTED:
        msg = "there is no such kubeconfig, or it was collected or has lapsed: ask for a new one"
        raise NotFound(msg)
    policy.check(by, Permission.CLUSTER_ACCESS, row.cluster.tenant)
    if row.state == AccessState.FAILED:
        return Collected(AccessState.FAILED, error=row.error)
    if row.state == AccessState.PENDING:
        return Collected(AccessState.PENDING)
    text = sealing.unseal(settings.SEALING_KEYS, row.sealed)
    AccessRequest.objects.filter(pk=row.pk).update(state=AccessState.COLLECTED, sealed="")
    expires = row.credential_expires_at
    _note(by.name, "kubeconfig.collect", row.cluster, role=row.role, expires=expires, uid=row.uid)
    return Collected(AccessState.READY, text, row.credential_expires_at)


@atomic
def hand_over(lease: Lease, uid: UUID, *, kubeconfig: str, expires_at: datetime) -> bool:
    """Leaves a minted kubeconfig for the portal; False when the lease is lost or nobody waits."""
    sealed = sealing.seal(settings.SEALING_KEYS, kubeconfig)
    return _answer(lease, uid, state=AccessState.READY, sealed=sealed, credential_expires_at=expires_at)


@atomic
def refuse(lease: Lease, uid: UUID, message: str) -> bool:
    """Tells the one who waits why there is none and what to do."""
    return _answer(lease, uid, state=AccessState.FAILED, error=message)


def sweep() -> int:
    """Drops what nobody waits for any longer, with its work; returns how many."""
    lapsed = list(
        AccessRequest.objects.filter(wanted_until__lt=timezone.now()).values_list("uid", flat=True)[:500]
    )
    with atomic():
        AccessRequest.objects.filter(uid__in=lapsed).delete()
        for uid in lapsed:
            work.forget(WorkKind.ACCESS, uid)
    return len(lapsed)


def _answer(lease: Lease, uid: UUID, **values: object) -> bool:
    if not work.holds(lease):
        return False
    waiting = AccessRequest.objects.filter(uid=uid, state=AccessState.PENDING)
    return waiting.update(**values) == 1


def _refuse_too_early(cluster: VirtualCluster) -> None:
    if cluster.deleting:
        msg = f"{cluster} is being deleted: it gives out no more kubeconfigs"
        raise BeingDeleted(msg)
    if cluster.quarantined:
        msg = f"{cluster} is in quarantine: it gives out no kubeconfigs, and all it gave out are dead"
        raise InQuarantine(msg)
    if clusters.spec(cluster).paused:
        msg = (
            f"{cluster} is paused and its API does not run: set spec.paused to false,"
            " wait until it is Ready (GET …/ready), then ask again"
        )
        raise Asleep(msg)
    if cluster.access_epoch and not _offered_again(cluster):
        msg = f"{cluster} comes back from quarantine: wait until it is Ready (GET …/ready), then ask again"
        raise Conflict(msg)
    if cluster.first_ready_at is None:
        msg = f"{cluster} is {cluster.phase}: wait until it is Ready (GET …/ready), then ask again"
        raise Conflict(msg)


def _offered_again(cluster: VirtualCluster) -> bool:
    """Whether a pass has seen that the credentials of before the quarantine are dead."""
    kind = ConditionType.ACCESS_ISSUED
    return any(c.type == kind and c.status == ConditionStatus.TRUE for c in cluster.conditions.all())


def _role(by: Actor, cluster: VirtualCluster) -> Role:
    """A member's own role, a viewer's for a read-only token; an admin without membership acts as owner."""
    if by.read_only:
        return Role.VIEWER
    role = policy.role_in(by, cluster.tenant)
    if role is None and by.platform_role is PlatformRole.ADMIN:
        return Role.OWNER
    return role or Role.VIEWER


def _note(actor: str, action: str, cluster: VirtualCluster, **facts: object) -> None:
    tenant = cluster.tenant.name
    target = f"cluster/{tenant}/{cluster.name}"
    audit.note(actor=actor, action=action, tenant=tenant, target=target, **facts)
