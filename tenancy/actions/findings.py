"""What the provisioner found amiss on a host, and that it was put right: written under its lease."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from tenancy.actions import allocations, audit, balances, work
from tenancy.actions.unit import atomic
from tenancy.models import Finding, Tenant, VirtualCluster

if TYPE_CHECKING:
    from tenancy.actions.work import Lease
    from tenancy.rules.drift import Culprit, Drift, Place

PROVISIONER = "provisioner"
KEPT: Final = timedelta(days=90)


@atomic
def noticed(lease: Lease, place: Place, drift: Drift) -> bool:
    """Opens a finding, or renews what an open one tells; False when the lease is lost."""
    holding = _holding_back(place, drift.kind)
    if not work.holds(lease):
        return False
    old = _open(place, drift.subject)
    values = _values(drift)
    if old is None:
        Finding.objects.create(**_of(place), subject=drift.subject, noticed_at=timezone.now(), **values)
        _note("finding.noticed", place, drift.subject, kind=drift.kind.value, by=drift.culprit.name)
        if holding is not None:
            allocations.settle(holding)
    elif old.kind != drift.kind or old.details != values["details"]:
        Finding.objects.filter(pk=old.pk).update(**values)
    return True


@atomic
def restored(lease: Lease, place: Place, subject: str) -> bool:
    """Closes the open finding, if there is one; False when the lease is lost."""
    known = _open(place, subject)
    holding = _holding_back(place, known.kind) if known is not None else None
    if not work.holds(lease):
        return False
    found = _open(place, subject)
    if found is not None:
        Finding.objects.filter(pk=found.pk).update(restored_at=max(timezone.now(), found.noticed_at))
        _note("finding.restored", place, subject)
        if holding is not None:
            allocations.settle(holding)
    return True


def close_all(cluster: VirtualCluster) -> bool:
    """A cluster that is gone has no guard rails to put right: whether any was open."""
    open_ = Finding.objects.filter(cluster=cluster, restored_at__isnull=True)
    return bool(open_.update(restored_at=timezone.now()))


def sweep() -> int:
    """Drops what was put right more than 90 days ago; returns how many."""
    return Finding.objects.filter(restored_at__lt=timezone.now() - KEPT).delete()[0]


def _holding_back(place: Place, kind: str) -> Tenant | None:
    """The tenant, locked, to whom nothing more is given while a finding of this kind is open."""
    if kind not in allocations.HOLDING_BACK:
        return None
    tenant = Tenant.objects.filter(name=place.tenant).first()
    if tenant is not None:
        balances.lock([], tenant.pk)
    return tenant


def _open(place: Place, subject: str) -> Finding | None:
    rows = Finding.objects.filter(host=place.host, namespace=place.namespace, subject=subject)
    return rows.filter(restored_at__isnull=True).first()


def _of(place: Place) -> dict[str, Any]:
    # The row may be gone by now; the finding stays.
    cluster = VirtualCluster.objects.filter(uid=place.cluster_uid).first() if place.cluster_uid else None
    return {
        "host": place.host,
        "namespace": place.namespace,
        "tenant": place.tenant,
        "cluster_name": place.cluster,
        "cluster": cluster,
    }


def _values(drift: Drift) -> dict[str, Any]:
    return {
        "kind": drift.kind,
        "details": [asdict(one) for one in drift.details],
        "next_step": drift.next_step,
        "actor": drift.culprit.name,
        "actor_source": drift.culprit.source,
        "evidence": _evidence(drift.culprit),
    }


def _evidence(culprit: Culprit) -> dict[str, Any]:
    if culprit.at is None:
        return {}
    return {
        "verb": culprit.verb,
        "at": culprit.at.isoformat(),
        "addresses": list(culprit.addresses),
    }


def _note(action: str, place: Place, subject: str, **facts: str) -> None:
    target = f"cluster/{place.tenant}/{place.cluster}" if place.cluster else f"host/{place.host}"
    audit.note(actor=PROVISIONER, action=action, tenant=place.tenant, target=target, subject=subject, **facts)
