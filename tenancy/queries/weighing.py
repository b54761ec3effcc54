"""What decides about devices, read from rows: one reading and one verdict for what is shown beforehand and for what is done."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from django.db.models import Q

from tenancy.models import Grant, PoolBalance
from tenancy.queries import accelerators as known
from tenancy.rules import ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from django.db.models import QuerySet

    from tenancy.models import AcceleratorClass, NodePool, Tenant
    from tenancy.rules.ledger import Account, Promise, Room, Verdict
    from tenancy.rules.requests import Terms


Key: TypeAlias = tuple[UUID, UUID]
"""Of a pool or a tenant, and of a class."""


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


class Books:
    """What decides about some tenants and pools, read once; whoever grants on them puts it down at once."""

    def __init__(
        self,
        accelerators: Iterable[AcceleratorClass],
        tenants: Iterable[Tenant],
        pools: Iterable[NodePool],
        today: date,
    ) -> None:
        self.today = today
        self._of_pools: dict[Key, dict[UUID, Promise]] = defaultdict(dict)
        self._of_tenants: dict[Key, dict[UUID, Promise]] = defaultdict(dict)
        classes, places, owners = list(accelerators), list(pools), list(tenants)
        for grant in _counted(classes).filter(Q(pool__in=places) | Q(tenant__in=owners)):
            self.put(grant)
        self._limits = known.limits_of(owners, classes)
        balances = PoolBalance.objects.filter(pool__in=places, accelerator__in=classes)
        rows = balances.values_list("pool_id", "accelerator_id", "capacity")
        self._capacity = {(pool, accelerator): capacity for pool, accelerator, capacity in rows}

    def put(self, grant: Grant) -> None:
        """A grant that counts from now on, or counts otherwise than before."""
        counts = promise(grant, self.today)
        self._of_pools[grant.pool_id, grant.accelerator_id][grant.pk] = counts
        self._of_tenants[grant.tenant_id, grant.accelerator_id][grant.pk] = counts

    def weigh(
        self, tenant: Tenant, accelerator: AcceleratorClass, terms: Terms, pools: Sequence[NodePool]
    ) -> Weighed:
        """What granting these terms in one of these pools comes to."""
        mine, places = self._account(tenant, accelerator), []
        for pool in pools:
            room = self.room(pool, accelerator)
            places.append(Place(pool, room, ledger.decide(terms, room, mine, self.today)))
        taken = ledger.best([(place.room, place.verdict) for place in places])
        best = next((place for place in places if taken and place.room is taken[0]), None)
        fits = best is not None and best.verdict.granted
        modest = fits and ledger.modest(terms, mine, accelerator.auto_approve_up_to)
        return Weighed(mine, tuple(places), best, modest)

    def room(self, pool: NodePool, accelerator: AcceleratorClass) -> Room:
        """What decides about a pool: its capacity as last seen, and what is promised there."""
        key = (pool.pk, accelerator.pk)
        promised = tuple(self._of_pools[key].values())
        return ledger.Room(pool.name, pool.host.name, self._capacity.get(key, 0), promised)

    def _account(self, tenant: Tenant, accelerator: AcceleratorClass) -> Account:
        """What decides about a tenant: its limit, and what it is promised in all pools."""
        key = (tenant.pk, accelerator.pk)
        return ledger.Account(tuple(self._of_tenants[key].values()), self._limits.get(key))


def weigh(
    tenant: Tenant, accelerator: AcceleratorClass, terms: Terms, pools: Sequence[NodePool], today: date
) -> Weighed:
    """As ``Books.weigh``, on books read for this alone; under the locks of pools and tenant this is the decision itself."""
    return Books([accelerator], [tenant], pools, today).weigh(tenant, accelerator, terms, pools)


def room(pool: NodePool, accelerator: AcceleratorClass, today: date) -> Room:
    """What decides about a pool."""
    return Books([accelerator], [], [pool], today).room(pool, accelerator)


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


def promises(pool: NodePool, accelerator: AcceleratorClass, today: date) -> tuple[Promise, ...]:
    """What counts in a pool."""
    return tuple(promise(grant, today) for grant in _counted([accelerator]).filter(pool=pool))


def _counted(accelerators: Iterable[AcceleratorClass]) -> QuerySet[Grant]:
    return Grant.objects.filter(accelerator__in=accelerators, closed_at=None).order_by()
