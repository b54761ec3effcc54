"""Short words for tests about devices: team ``team``, class ``gpu``, admin ``root``."""

from __future__ import annotations

from datetime import timedelta

from tenancy.actions import allocations, decisions, requests, work
from tenancy.enums import WorkKind
from tenancy.grant_enums import Rung
from tenancy.models import Allocation, VirtualCluster
from tenancy.queries import calendar
from tenancy.queries import grants as known
from tenancy.rules.requests import Terms
from tests import factories as make


def spec(count, key="gpu"):
    return {"accelerators": [{"class": key, "count": count}]} if count else {}


def terms(amount=1, days=10, after=0):
    today = calendar.today() + timedelta(days=after)
    return Terms(amount, today, today + timedelta(days=days))


def ask(by, amount=1, days=10, after=0, tenant="team", pool=None):
    return requests.submit(
        by=by,
        tenant_name=tenant,
        key="gpu",
        terms=terms(amount, days, after),
        justification="training",
        pool=pool,
    )


def approve(request, by=None, pool=None):
    return decisions.approve(by=by or make.admin(), uid=request.uid, reason="fine", pool=pool)


SLEEPS: tuple[dict[str, bool], ...] = (
    {},
    {},
    {"paused": True},
    {"paused": True, "releaseAcceleratorsWhilePaused": True},
)
"""What a spec may say of sleep: awake, keeping its devices, giving them back."""


def put(by, count, name="first", tenant="team", **more):
    make.cluster(by, tenant, name, {**spec(count), **more})
    return VirtualCluster.objects.get(name=name)


def has(name="first"):
    """Target and held of a cluster's devices."""
    row = Allocation.objects.filter(cluster__name=name, released_at=None).first()
    return (row.target, row.held) if row else None


def confirmed(name="first", shares=None, left=0):
    """The provisioner sees that the host holds no more than it is to, or than ``left`` on the way there."""
    cluster = VirtualCluster.objects.get(name=name)
    lease = work.claim(WorkKind.CLUSTER, cluster.uid)
    for share in known.shares(cluster) if shares is None else shares:
        for rung in Rung:
            assert allocations.stepped(lease, cluster.uid, share, rung, {"used": left}, left)
    work.wait(lease, 0)
