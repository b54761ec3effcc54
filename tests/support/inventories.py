"""Random inventories and calendars of devices, and what is plainly true of them: sums day by day, no rule of Atoll's."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

SEED = int(os.environ.get("ATOLL_SEED", "20261121"))
"""Of the random inventories; told where one fails."""
SPAN = 12
"""Days that calendars are about; day 0 is today."""


@dataclass(frozen=True)
class Deal:
    """A grant that is not closed."""

    tenant: str
    amount: int
    starts: int
    ends: int
    active: bool
    ended: bool
    """Given back before its day, and not seen back."""

    @property
    def over(self):
        return self.ended or self.ends <= 0

    def on(self, day):
        """Whether it counts on a day: what is over counts until it was seen back, and nobody knows when."""
        return self.starts <= day and (self.over or day < self.ends)


@dataclass(frozen=True)
class Pile:
    """A pool: nodes as devices, ready, schedulable."""

    name: str
    nodes: tuple[tuple[int, bool, bool], ...]
    reserved: int = 0
    owner: str = ""
    deals: tuple[Deal, ...] = ()

    @property
    def capacity(self):
        return max(0, sum(n for n, ready, open_ in self.nodes if ready and open_) - self.reserved)

    def short(self):
        """Whether more is promised, on any day from today on, or is out now, than there is."""
        out = sum(d.amount for d in self.deals if d.active)
        return (
            max([out, *(sum(d.amount for d in self.deals if not d.over and d.on(n)) for n in DAYS)])
            > self.capacity
        )

    def left(self, since, until):
        return self.capacity - max(sum(d.amount for d in self.deals if d.on(n)) for n in range(since, until))


DAYS = range(2 * SPAN)


@dataclass(frozen=True)
class Inventory:
    """Everything that decides about one class."""

    piles: tuple[Pile, ...]
    limits: dict[str, int] = field(default_factory=dict)
    auto: int = 0
    host_open: bool = True

    def mine(self, tenant, since, until):
        """The most that a tenant is promised on one of these days, wherever."""
        deals = [d for pile in self.piles for d in pile.deals if d.tenant == tenant]
        return max(sum(d.amount for d in deals if d.on(n)) for n in range(since, until))

    def able(self, tenant, named):
        """Where this tenant could be granted something: in the pool that it names, else where the host takes clusters."""
        usable = [p for p in self.piles if p.owner in {"", tenant}]
        if named:
            return [p for p in usable if p.name == named]
        return usable if self.host_open else []

    def fits(self, wish, pile):
        """The most up to what is asked that this pool and the tenant's limit allow on all days; 0 in a pool that is short."""
        left = [pile.left(wish.starts, wish.ends), wish.amount]
        if wish.tenant in self.limits:
            left.append(self.limits[wish.tenant] - self.mine(wish.tenant, wish.starts, wish.ends))
        return 0 if pile.short() else max(0, min(left))

    def granted(self, wish, pool):
        """Once it is."""
        deal = Deal(wish.tenant, wish.amount, wish.starts, wish.ends, active=wish.starts <= 0, ended=False)
        return self._with(pool, lambda pile: (*pile.deals, deal))

    def longer(self, pool, number, ends):
        """Once this deal is."""
        return self._with(
            pool,
            lambda pile: tuple(replace(d, ends=ends) if n == number else d for n, d in enumerate(pile.deals)),
        )

    def _with(self, pool, deals):
        piles = (replace(p, deals=deals(p)) if p.name == pool else p for p in self.piles)
        return replace(self, piles=tuple(piles))

    def nearest(self, wish):
        """The most that can be granted in one pool; ``None`` where there is no pool for it at all."""
        return max((self.fits(wish, pile) for pile in self.able(wish.tenant, wish.pool)), default=None)

    def passes(self, wish):
        """Whether the class's policy approves it without asking."""
        total = wish.amount + self.mine(wish.tenant, wish.starts, wish.ends)
        return self.nearest(wish) == wish.amount and total <= self.auto


@dataclass(frozen=True)
class Wish:
    tenant: str
    amount: int
    starts: int
    ends: int
    pool: str = ""


TENANTS = ("team", "crew")


def inventory(dice, tenants=TENANTS, auto=(0, 4, 8)):
    """Three pools, one of them a tenant's own; most of them sound, some short, some with devices that are late."""
    owners = ("", "", dice.choice(tenants))
    piles = [pile(dice, f"pool{n}", owner, tenants) for n, owner in enumerate(owners)]
    return Inventory(tuple(piles), limits(dice, tenants), dice.choice(auto), dice.random() < 0.95)


def another(dice, found, tenants):
    """Of another class: the same pools and nodes, which have other devices, and other grants."""
    piles = []
    for one in found.piles:
        nodes = tuple((dice.randint(0, 8), ready, open_) for _, ready, open_ in one.nodes)
        piles.append(pile(dice, one.name, one.owner, tenants, nodes))
    return replace(found, piles=tuple(piles), limits=limits(dice, tenants))


def limits(dice, tenants):
    return {name: dice.randint(2, 14) for name in tenants if dice.random() < 0.3}


def pile(dice, name, owner, tenants, nodes=()):
    nodes = nodes or tuple(
        (dice.randint(0, 8), dice.random() < 0.9, dice.random() < 0.9) for _ in range(dice.randint(1, 3))
    )
    made = Pile(name, nodes, dice.choice((0, 0, 0, 1, 3)), owner)
    deals, most = [], made.capacity
    for _ in range(dice.randint(0, 4)):
        deals.append(deal(dice, owner or dice.choice(tenants), most))
        tried = Pile(name, nodes, made.reserved, owner, tuple(deals))
        if tried.short() and dice.random() < 0.9:  # a pool that is short refuses all: few of them
            deals.pop()
    return Pile(name, nodes, made.reserved, owner, tuple(deals))


def deal(dice, tenant, most):
    starts = dice.randint(-4, SPAN - 2)
    ends = dice.randint(max(starts + 1, -1), SPAN)
    begun = starts <= 0
    late = ends <= 0 or (begun and dice.random() < 0.15)
    return Deal(
        tenant,
        dice.randint(1, max(1, most // 2)),
        starts,
        ends,
        late or (begun and dice.random() < 0.9),
        late and ends > 0,
    )


def wish(dice, found, tenant=""):
    starts = dice.choice((0, 0, dice.randint(0, SPAN - 2)))
    pool = dice.choice(("", "", *(p.name for p in found.piles)))
    return Wish(
        tenant or dice.choice(TENANTS), dice.randint(1, 6), starts, dice.randint(starts + 1, SPAN), pool
    )
