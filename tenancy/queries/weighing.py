"""What decides about devices, read from rows: one reading and one verdict for what is shown beforehand and for what is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from tenancy.models import Grant, PoolBalance
from tenancy.queries import accelerators
from tenancy.rules import ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.models import AcceleratorClass, NodePool, Tenant
    from tenancy.rules.ledger import Account, Promise, Room, Verdict
    from tenancy.rules.requests import Terms


@dataclass(frozen=True)
class Place:
    """One pool, and what it would come to there."""

    pool: NodePool
    room: Room
    verdict: Verdict


@dataclass(frozen=True)
class Weighed:
    """Terms of a tenant beside the books."""

    account: Account
    places: tuple[Place, ...]
    best: Place | None
    """Where they would be granted, or come nearest to it; ``None`` without any pool."""
    modest: bool
    """The class's policy lets them pass without asking anybody."""


def weigh(
    tenant: Tenant, accelerator: AcceleratorClass, terms: Terms, pools: Sequence[NodePool], today: date
) -> Weighed:
    """What granting these terms comes to; under the locks of pools and tenant this is the decision itself."""
    rooms, mine = books(tenant, accelerator, pools, today)
    places = tuple(
        Place(pool, room, ledger.decide(terms, room, mine, today))
        for pool, room in zip(pools, rooms, strict=True)
    )
    taken = ledger.best([(place.room, place.verdict) for place in places])
    best = next((place for place in places if taken and place.room is taken[0]), None)
    fits = best is not None and best.verdict.granted
    modest = fits and ledger.modest(terms, mine, accelerator.auto_approve_up_to)
    return Weighed(mine, places, best, modest)


def books(
    tenant: Tenant, accelerator: AcceleratorClass, pools: Sequence[NodePool], today: date
) -> tuple[list[Room], Account]:
    """Each pool's room in the order of ``pools``, and what the tenant is promised in all pools and may have."""
    grants = list(_counted(accelerator).filter(Q(pool__in=pools) | Q(tenant=tenant)))
    mine = tuple(promise(grant, today) for grant in grants if grant.tenant_id == tenant.pk)
    limit = accelerators.limit(tenant, accelerator)
    return _rooms(pools, accelerator, grants, today), ledger.Account(mine, limit)


def room(pool: NodePool, accelerator: AcceleratorClass, today: date) -> Room:
    """What decides about a pool: its capacity as last seen, and what is promised there."""
    return _rooms([pool], accelerator, _counted(accelerator).filter(pool=pool), today)[0]


def account(tenant: Tenant, accelerator: AcceleratorClass, today: date) -> Account:
    """What decides about a tenant: its limit, and what it is promised in all pools."""
    return books(tenant, accelerator, [], today)[1]


def promises(pool: NodePool, accelerator: AcceleratorClass, today: date) -> tuple[Promise, ...]:
    """What counts in a pool."""
    return tuple(promise(grant, today) for grant in _counted(accelerator).filter(pool=pool))


def promise(grant: Grant, today: date) -> Promise:
    """What counts of a grant that is not closed."""
    over = grant.ended_at is not None or today >= grant.ends_on
    return ledger.Promise(
        grant.tenant_id.hex,
        grant.amount,
        grant.starts_on,
        None if over else grant.ends_on,
        out=grant.activated_at is not None,
    )


def _counted(accelerator: AcceleratorClass) -> QuerySet[Grant]:
    return Grant.objects.filter(accelerator=accelerator, closed_at=None).order_by()


def _rooms(
    pools: Sequence[NodePool], accelerator: AcceleratorClass, grants: Iterable[Grant], today: date
) -> list[Room]:
    known = PoolBalance.objects.filter(pool__in=pools, accelerator=accelerator)
    capacity = dict(known.values_list("pool_id", "capacity"))
    promised: dict[UUID, list[Promise]] = {pool.pk: [] for pool in pools}
    for grant in grants:
        if grant.pool_id in promised:
            promised[grant.pool_id].append(promise(grant, today))
    return [
        ledger.Room(pool.name, pool.host.name, capacity.get(pool.pk, 0), tuple(promised[pool.pk]))
        for pool in pools
    ]
