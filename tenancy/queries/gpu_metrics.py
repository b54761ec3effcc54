"""Figures of accelerators for those who watch Atoll, as in ``metrics``."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Count, F, Min, Q, Sum

from tenancy.grant_enums import GrantPhase, RequestState, Rung
from tenancy.models import (
    AcceleratorClass,
    AcceleratorLimit,
    Allocation,
    Grant,
    GrantRequest,
    PoolBalance,
)
from tenancy.queries import calendar, clock, grants
from tenancy.rules.requests import OPEN

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_BEGUN: Final = "none"
"""In place of a rung: no step of the ladder was seen done yet."""


@dataclass(frozen=True)
class Stock:
    """One pool's devices of one class."""

    host: str
    pool: str
    accelerator: str
    capacity: int
    promised: int
    free: int
    """Promised to nobody, from today on."""
    deficit: int
    reserved: int


def of_stock() -> list[Stock]:
    """Each pool and class of which it has, or had, devices."""
    rows = PoolBalance.objects.order_by("pool__host__name", "pool__name", "accelerator__key")
    place = ("pool__host__name", "pool__name", "accelerator__key")
    found = rows.values_list(*place, "capacity", "held", "deficit", "pool__reserved")
    return [
        Stock(host, pool, key, capacity, held, max(0, capacity - held), deficit, int(reserved.get(key, 0)))
        for host, pool, key, capacity, held, deficit, reserved in found
    ]


@dataclass(frozen=True)
class Account:
    """One tenant's devices of one class in one pool: for chargeback."""

    tenant: str
    host: str
    pool: str
    accelerator: str
    granted: int = 0
    """Of grants that are in force."""
    returning: int = 0
    """Of grants that are over and not closed: their devices were not seen back."""
    held: int = 0
    """By clusters."""
    used: int = 0
    """By pods, at the last look at the host."""


_ACCOUNT: Final = ("tenant__name", "pool__host__name", "pool__name", "accelerator__key")


def of_accounts() -> list[Account]:
    """Every account in which there is anything."""
    given = Grant.objects.filter(closed_at=None, activated_at__isnull=False).order_by()
    found: dict[tuple[str, str, str, str], Counter[str]] = defaultdict(Counter)
    sums = given.values_list(*_ACCOUNT).annotate(
        granted=Sum("amount", filter=Q(ended_at=None), default=0),
        returning=Sum("amount", filter=Q(ended_at__isnull=False), default=0),
    )
    for tenant, host, pool, key, granted, returning in sums:
        found[(tenant, host, pool, key)].update(granted=granted, returning=returning)
    opened = Allocation.objects.filter(released_at=None).values_list(*_ACCOUNT, "held", "used")
    for tenant, host, pool, key, held, used in opened:
        found[(tenant, host, pool, key)].update(held=held, used=grants.in_use(used))
    figures = ("granted", "returning", "held", "used")
    return [
        Account(*account, *(counted[one] for one in figures)) for account, counted in sorted(found.items())
    ]


@dataclass(frozen=True)
class Limit:
    """The most that one tenant may be granted of one class."""

    tenant: str
    accelerator: str
    limit: int


def of_limits() -> list[Limit]:
    """Each that is set."""
    rows = AcceleratorLimit.objects.order_by("tenant__name", "accelerator__key")
    return [Limit(*row) for row in rows.values_list("tenant__name", "accelerator__key", "amount")]


@dataclass(frozen=True)
class Requests:
    """Requests for one class on which somebody still has to act."""

    accelerator: str
    state: RequestState
    open: int = 0
    oldest_seconds: float = 0.0


def of_requests() -> list[Requests]:
    """Each class and open state."""
    now, rows = clock.now(), GrantRequest.objects.filter(state__in=OPEN).order_by()
    sums = rows.values_list("accelerator__key", "state").annotate(Count("pk"), Min("requested_at"))
    found = {(key, state): (count, clock.seconds_since(oldest, now)) for key, state, count, oldest in sums}
    states = [state for state in RequestState if state in OPEN]
    return [Requests(key, state, *found.get((key, state), ())) for key in _classes() for state in states]


@dataclass(frozen=True)
class Grants:
    """Grants of one class in one phase of their life."""

    accelerator: str
    phase: GrantPhase
    grants: int


@dataclass(frozen=True)
class Overdue:
    """Grants of one class whose devices should be back by now."""

    accelerator: str
    overdue: int


def of_grants() -> list[Grants]:
    """Each class and phase; those that are closed are left out."""
    today = calendar.today()
    opened = Grant.objects.filter(closed_at=None).select_related("accelerator").defer("receipt")
    found = Counter((one.accelerator.key, grants.phase(one, today)) for one in opened)
    phases = [phase for phase in GrantPhase if phase is not GrantPhase.RECLAIMED]
    return [Grants(key, phase, found[(key, phase)]) for key in _classes() for phase in phases]


def of_overdue() -> list[Overdue]:
    """Each class."""
    late = Grant.objects.filter(closed_at=None, deadline__lt=calendar.now()).order_by()
    found = dict(late.values_list("accelerator__key").annotate(Count("pk")))
    return [Overdue(key, found.get(key, 0)) for key in _classes()]


@dataclass(frozen=True)
class Ladders:
    """Clusters that give devices of one class back, by the last rung that was seen done."""

    accelerator: str
    rung: str
    clusters: int


def of_ladders() -> list[Ladders]:
    """Each class and rung; after the last one a cluster gives back no more."""
    running = Allocation.objects.filter(released_at=None, held__gt=F("target"))
    rows = running.values_list("accelerator__key", "rungs")
    found = Counter((key, _furthest(rungs)) for key, rungs in rows)
    rungs = [NOT_BEGUN, *(rung.value for rung in Rung if rung is not Rung.CONFIRM)]
    return [Ladders(key, rung, found[(key, rung)]) for key in _classes() for rung in rungs]


def _furthest(rungs: Mapping[str, object]) -> str:
    return next((rung.value for rung in reversed(Rung) if rung.value in rungs), NOT_BEGUN)


def _classes() -> list[str]:
    return list(AcceleratorClass.objects.order_by("key").values_list("key", flat=True))
