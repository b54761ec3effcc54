"""What can be promised of a pool's devices: the one function by which Atoll admits, and shows beforehand.

Pure. Sums are taken anew each time; days are UTC, the last one exclusive.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tenancy.rules.requests import Terms


@dataclass(frozen=True)
class Promise:
    """Devices that are promised, or not yet seen back."""

    tenant: str
    amount: int
    starts_on: date
    ends_on: date | None
    """``None`` while the grant is over and its devices are not back: nobody knows when they will be."""
    out: bool = False
    """The tenant has them now; a grant whose day has come waits for those before it."""


@dataclass(frozen=True)
class NodeRoom:
    """Devices of one class on one node."""

    name: str
    devices: int
    free: int
    """Not held by a pod when it was last looked at."""


@dataclass(frozen=True)
class Room:
    """Devices of one class in one pool."""

    pool: str
    host: str
    capacity: int
    """Healthy, uncordoned and not reserved."""
    promises: tuple[Promise, ...] = ()
    nodes: tuple[NodeRoom, ...] = ()

    def free(self, since: date, until: date) -> int:
        """Not promised on any of these days; never below zero."""
        return max(0, self.capacity - peak(self.promises, since, until))

    def deficit(self, since: date) -> int:
        """How much is promised that the inventory no longer covers, on any day from this one on."""
        return max(0, committed(self.promises, since) - self.capacity)

    @property
    def out(self) -> int:
        """What tenants have now; none of it can be given to another one before it is back."""
        return sum(promise.amount for promise in self.promises if promise.out)

    @property
    def largest_node(self) -> int:
        """The most free devices on one node: a pod cannot have more."""
        return max((node.free for node in self.nodes), default=0)


@dataclass(frozen=True)
class Account:
    """What one tenant has of a class in all pools, and may have."""

    promises: tuple[Promise, ...] = ()
    limit: int | None = None
    """``None`` for no limit."""


@dataclass(frozen=True)
class Verdict:
    """Whether these terms can be promised, and if not, what can."""

    granted: bool
    fits: int
    """The nearest amount up to the asked one that can be promised for these days."""
    reason: str = ""
    """Empty when it is granted."""
    free: int = 0
    """Devices of the pool that nobody is promised on these days."""


def peak(promises: Iterable[Promise], since: date, until: date | None) -> int:
    """The most that is promised on any day from ``since`` until before ``until``."""
    changes: Counter[date] = Counter()
    for promise in promises:
        if _meets(promise, since, until):
            changes[max(promise.starts_on, since)] += promise.amount
            if promise.ends_on is not None:
                changes[promise.ends_on] -= promise.amount
    return max(accumulate(changes[day] for day in sorted(changes)), default=0)


def committed(promises: Sequence[Promise], since: date) -> int:
    """What must be there: what tenants have now, and on each day what is promised for it.

    A grant that is over and not yet back delays the next one and adds nothing to it:
    late devices are no missing ones.
    """
    out = sum(promise.amount for promise in promises if promise.out)
    return max(out, peak((p for p in promises if p.ends_on is not None), since, None))


def decide(terms: Terms, room: Room, account: Account, today: date) -> Verdict:
    """Whether a pool's devices and the tenant's limit allow these terms."""
    deficit = room.deficit(today)
    if deficit:
        reason = (
            f"pool {room.pool!r} has {deficit} fewer devices than are promised there: nothing is granted"
            " before they are back, or grants end"
        )
        return Verdict(granted=False, fits=0, reason=reason)
    free = room.free(terms.starts_on, terms.ends_on)
    left = _left(terms, account)
    fits = min(terms.amount, free, left)
    if fits == terms.amount:
        return Verdict(granted=True, fits=fits, free=free)
    return Verdict(granted=False, fits=fits, reason=_why(terms, room, account, free, left), free=free)


def in_the_way(terms: Terms, room: Room) -> tuple[Promise, ...]:
    """The promises that would have to end for these terms to fit, those that end first before others; none if it fits.

    What keeps them out is a full pool; a tenant's own limit is nobody else's doing.
    """
    if room.free(terms.starts_on, terms.ends_on) >= terms.amount or terms.amount > room.capacity:
        return ()
    near = sorted(
        (p for p in room.promises if _meets(p, terms.starts_on, terms.ends_on)),
        key=lambda p: (p.ends_on or date.max, p.starts_on, p.tenant),
    )
    for count in range(1, len(near) + 1):
        gone = {id(p) for p in near[:count]}  # two grants may be alike in everything
        left = replace(room, promises=tuple(p for p in room.promises if id(p) not in gone))
        if left.free(terms.starts_on, terms.ends_on) >= terms.amount:
            return tuple(near[:count])
    return tuple(near)


def fragmented(terms: Terms, room: Room) -> str:
    """What the sums do not say: no node has as many free as one pod would need; empty where one has."""
    largest = room.largest_node
    if not room.nodes or largest >= terms.amount:
        return ""
    free = sum(node.free for node in room.nodes)
    return (
        f"{free} are not in use, but no node has {terms.amount} such: the most on one is {largest},"
        " and a pod stays on one node"
    )


def modest(terms: Terms, account: Account, most: int) -> bool:
    """Whether a tenant would have so few devices in all that a class's policy asks nobody."""
    return terms.amount + peak(account.promises, terms.starts_on, terms.ends_on) <= most


def _left(terms: Terms, account: Account) -> int:
    """What the tenant's limit leaves; all that is asked where it has none."""
    if account.limit is None:
        return terms.amount
    return max(0, account.limit - peak(account.promises, terms.starts_on, terms.ends_on))


def _why(terms: Terms, room: Room, account: Account, free: int, left: int) -> str:
    days = f"from {terms.starts_on} until {terms.ends_on}"
    if left < terms.amount and left <= free:
        return f"the tenant's limit is {account.limit}, which leaves {left} {days}"
    ends = sorted(p.ends_on for p in room.promises if p.ends_on and p.ends_on > terms.starts_on)
    later = f"; the next grant there ends on {ends[0]}" if ends else ""
    return f"{free} of {room.capacity} devices of pool {room.pool!r} are free {days}{later}"


def _meets(promise: Promise, since: date, until: date | None) -> bool:
    """Whether it covers any of these days."""
    before = until is None or promise.starts_on < until
    return before and (promise.ends_on is None or promise.ends_on > since)


def best(verdicts: Sequence[tuple[Room, Verdict]]) -> tuple[Room, Verdict] | None:
    """The pool to take: one where it fits, the fullest of those, so that large asks still find room; else the nearest."""
    return min(
        verdicts,
        key=lambda rv: (not rv[1].granted, -rv[1].fits, rv[1].free, rv[0].host, rv[0].pool),
        default=None,
    )
