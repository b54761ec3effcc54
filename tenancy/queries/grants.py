"""Reads of requests, grants and what clusters have of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.enums import ConditionStatus, ConditionType, Permission
from tenancy.errors import NotFound
from tenancy.grant_enums import Approval, RequestState
from tenancy.models import Allocation, Grant, GrantRequest, VirtualCluster
from tenancy.queries import accelerators, pools, tenants, usage, weighing
from tenancy.rules import accelerators as rules
from tenancy.rules import grants as courses
from tenancy.rules import ledger, requests
from tenancy.rules.allocations import Ending, Step
from tenancy.rules.requests import Terms
from tenancy.rules.specs import DeviceShare, facts_from_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.enums import Sandbox
    from tenancy.grant_enums import GrantPhase
    from tenancy.models import AcceleratorClass, NodePool, Tenant
    from tenancy.policy import Actor
    from tenancy.queries.usage import Hours
    from tenancy.queries.weighing import Place
    from tenancy.rules.accelerators import Accelerator
    from tenancy.rules.ledger import Account, Room, Verdict


@dataclass(frozen=True)
class Choice:
    """One pool where a request could be granted, and what would come of it."""

    pool: NodePool
    room: Room
    verdict: Verdict
    sandboxes: tuple[Sandbox, ...] = ()
    """In which a pod can use the devices there."""
    note: str = ""
    """What the numbers alone do not say."""

    def free_on(self, day: date) -> int:
        """Devices that are promised to nobody on this day."""
        return self.room.free(day, day + timedelta(days=1))


@dataclass(frozen=True)
class Holding:
    """What a tenant has of a class today, in devices."""

    granted: int = 0
    """Of grants that are in force."""
    held: int = 0
    """Given to clusters, and not yet back from those that are to give them back."""
    used: int = 0
    """By pods, at the last look at the hosts."""
    asleep: int = 0
    """Of what is held, by clusters that sleep."""


@dataclass(frozen=True)
class WhatIf:
    """Everything an approver sees before deciding; by the very function that admits."""

    terms: Terms
    choices: tuple[Choice, ...]
    account: Account
    holding: Holding
    lately: Hours
    """What the tenant made of its grants of the class."""
    needs_two: bool
    """Two admins have to agree."""
    at_once: bool
    """The class's policy would let it pass without asking anybody."""
    best: Choice | None
    """Where it would be granted if it were approved without naming a pool."""
    ending: tuple[Grant, ...]
    """Grants of the class that end before, or soon after, this one begins."""
    in_the_way: tuple[Grant, ...]
    """Grants that would have to end for these terms to fit in the nearest pool; empty when they fit."""

    @property
    def approval(self) -> Approval:
        """Who would have to agree."""
        if self.at_once:
            return Approval.POLICY
        return Approval.TWO_ADMINS if self.needs_two else Approval.ADMIN

    @property
    def verdict(self) -> Verdict:
        """What approving these terms now would come to."""
        if self.best is not None:
            return self.best.verdict
        return ledger.Verdict(granted=False, fits=0, reason="no node pool has this class: an admin makes one")


def requests_visible_to(actor: Actor, tenant: Tenant | None = None) -> QuerySet[GrantRequest]:
    """Requests of one tenant, or of all that an actor may see; newest first."""
    rows = GrantRequest.objects.filter(tenant__in=tenants.visible_to(actor))
    rows = rows.filter(tenant=tenant) if tenant is not None else rows
    return rows.select_related(
        "tenant", "accelerator", "pool__host", "grant__pool__host", "extends__pool__host"
    )


def open_requests(tenants: Iterable[UUID]) -> QuerySet[GrantRequest]:
    """Requests of these tenants on which somebody still has to act."""
    rows = GrantRequest.objects.filter(tenant__in=list(tenants), state__in=requests.OPEN)
    return rows.select_related("accelerator")


def to_decide(actor: Actor) -> QuerySet[GrantRequest]:
    """What waits for an approver, oldest first; nothing for those who are none."""
    if not policy.allows(actor, Permission.GPU_APPROVE):
        return GrantRequest.objects.none()
    waiting = [RequestState.REQUESTED.value, RequestState.ENDORSED.value]
    return requests_visible_to(actor).filter(state__in=waiting).order_by("requested_at", "uid")


def get_request(actor: Actor, uid: UUID) -> GrantRequest:
    """One request; ``NotFound`` for unknown and foreign ones alike."""
    return readable(actor, get_requests(actor, [uid]).get(uid))


def get_requests(actor: Actor, uids: Iterable[UUID]) -> dict[UUID, GrantRequest]:
    """Those of these requests that an actor may see."""
    # Few joins: planning those that lists want takes longer than this answer.
    rows = requests_visible_to(actor).select_related(None).select_related("tenant", "accelerator")
    return {row.pk: row for row in rows.filter(pk__in=list(uids)).order_by()}


def readable(actor: Actor, found: GrantRequest | None) -> GrantRequest:
    """A request that was looked for; raises what says that it is not there, or not for this actor."""
    if found is None:
        msg = "there is no such request, or none that you may see"
        raise NotFound(msg)
    policy.check(actor, Permission.GPU_VIEW, found.tenant)
    return found


def visible_to(actor: Actor, tenant: Tenant | None = None) -> QuerySet[Grant]:
    """Grants of one tenant, or of all that an actor may see; newest first."""
    rows = Grant.objects.filter(tenant__in=tenants.visible_to(actor))
    rows = rows.filter(tenant=tenant) if tenant is not None else rows
    return rows.select_related("tenant", "accelerator", "pool__host")


def get(actor: Actor, uid: UUID) -> Grant:
    """One grant; ``NotFound`` for unknown and foreign ones alike."""
    found = visible_to(actor).filter(uid=uid).first()
    if found is None:
        msg = "there is no such grant, or none that you may see"
        raise NotFound(msg)
    policy.check(actor, Permission.GPU_VIEW, found.tenant)
    return found


def phase(grant: Grant, today: date) -> GrantPhase:
    """Where it is in its life."""
    course = courses.Course(
        starts_on=grant.starts_on,
        ends_on=grant.ends_on,
        activated=grant.activated_at is not None,
        ended=grant.ended_at is not None,
        closed=grant.closed_at is not None,
    )
    return courses.phase(course, today)


def asked(request: GrantRequest) -> Terms:
    """The terms that are to be admitted: of an extension, the days that it adds."""
    since = request.extends.ends_on if request.extends is not None else request.starts_on
    return Terms(request.amount, since, request.ends_on)


def candidates(request: GrantRequest) -> list[NodePool]:
    """The pools in which it may be granted: the one that it is about, else all that have the class and take clusters."""
    fixed = request.extends.pool if request.extends is not None else request.pool
    if fixed is not None:
        return [fixed] if accelerators.usable(fixed, request.tenant) else []
    return among(request, accelerators.pools_with(request.accelerator, request.tenant))


def fixed_pool(request: GrantRequest) -> UUID | None:
    """The only pool in which it may be granted, where it is about one."""
    return request.extends.pool_id if request.extends is not None else request.pool_id


def among(request: GrantRequest, pools: Iterable[NodePool]) -> list[NodePool]:
    """Those of a class's pools that take clusters of the tenant."""
    return [p for p in pools if p.host.accepts_clusters and accelerators.usable(p, request.tenant)]


def holding(tenant: Tenant, accelerator: AcceleratorClass) -> Holding:
    """What a tenant has of a class, in all pools."""
    return holdings(tenant).get(accelerator.pk, Holding())


def holdings(tenant: Tenant) -> dict[UUID, Holding]:
    """What a tenant has of each class, in all pools; classes of which it has nothing are not in it."""
    granted: Counter[UUID] = Counter()
    held: Counter[UUID] = Counter()
    used: Counter[UUID] = Counter()
    for grant in Grant.objects.filter(tenant=tenant, ended_at=None, activated_at__isnull=False):
        granted[grant.accelerator_id] += grant.amount
    for row in Allocation.objects.filter(tenant=tenant, released_at=None):
        held[row.accelerator_id] += row.held
        used[row.accelerator_id] += in_use(row.used)
    asleep = _held_asleep(tenant) if held else held
    return {key: Holding(granted[key], held[key], used[key], asleep[key]) for key in {**granted, **held}}


def in_use(used: Mapping[str, object]) -> int:
    """Devices of an allocation that pods held at the last look, on all nodes."""
    return sum(number for number in used.values() if isinstance(number, int))


def _held_asleep(tenant: Tenant) -> Counter[UUID]:
    """By class."""
    seen = {"conditions__type": ConditionType.PAUSED, "conditions__status": ConditionStatus.TRUE}
    sleeping = VirtualCluster.objects.filter(tenant=tenant, **seen)
    found: Counter[UUID] = Counter()
    for row in Allocation.objects.filter(cluster__in=sleeping, released_at=None):
        found[row.accelerator_id] += row.held
    return found


def what_if(request: GrantRequest, terms: Terms, today: date, pool: NodePool | None = None) -> WhatIf:
    """What would come of approving these terms now, in each pool; takes no lock and changes nothing."""
    places = [pool] if pool else candidates(request)
    weighed = weighing.weigh(request.tenant, request.accelerator, terms, places, today)
    rule = accelerators.to_rule(request.accelerator)
    used = accelerators.used_on_nodes(request.accelerator, places)
    choices = {place: _choice(place, rule, terms, used[str(place.pool.uid)]) for place in weighed.places}
    best = choices[weighed.best] if weighed.best else None
    ending = Grant.objects.filter(accelerator=request.accelerator, pool__in=places, closed_at=None)
    return WhatIf(
        terms=terms,
        choices=tuple(choices.values()),
        account=weighed.account,
        holding=holding(request.tenant, request.accelerator),
        lately=usage.efficiency(request.tenant, request.accelerator, today),
        needs_two=requests.needs_two(terms.amount, request.accelerator.two_approvers_from),
        at_once=weighed.modest,
        best=best,
        ending=tuple(ending.select_related("tenant", "pool__host").order_by("ends_on")[:10]),
        in_the_way=_in_the_way(request, terms, best, today) if best else (),
    )


def _choice(place: Place, rule: Accelerator, terms: Terms, used: Mapping[str, int]) -> Choice:
    nodes = rules.rooms(rule, accelerators.nodes_of(place.pool), used)
    here = replace(place.room, nodes=nodes)
    able, note = _sandboxes(place.pool, rule), ledger.fragmented(terms, here)
    return Choice(place.pool, here, place.verdict, able, note)


def _sandboxes(pool: NodePool, accelerator: Accelerator) -> tuple[Sandbox, ...]:
    """The sandboxes of the pool's nodes in which a pod can use the class."""
    facts = pools.facts_in([pool], facts_from_json(pool.host.facts))
    found = facts.sandboxes.items() if facts else ()
    return tuple(sandbox for sandbox, seen in found if seen.accelerators.get(accelerator.resource) == "")


def _in_the_way(request: GrantRequest, terms: Terms, best: Choice, today: date) -> tuple[Grant, ...]:
    """The grants behind the promises that keep these terms out."""
    left = list(ledger.in_the_way(terms, best.room))
    rows = Grant.objects.filter(pool=best.pool, accelerator=request.accelerator, closed_at=None)
    found = []
    for grant in rows.select_related("tenant", "pool__host").order_by("ends_on", "uid"):
        one = weighing.promise(grant, today)
        if one in left:
            left.remove(one)
            found.append(grant)
    return tuple(found)


def covering(rows: Iterable[Grant]) -> tuple[int, tuple[Ending, ...]]:
    """What these grants give now, and those that gave something and are over; closed ones are left out."""
    given = [row for row in rows if row.activated_at is not None and row.closed_at is None]
    over = (Ending(row.uid.hex, row.amount, row.deadline) for row in given if row.deadline is not None)
    return sum(row.amount for row in given if row.ended_at is None), tuple(over)


def steps_of(row: Allocation) -> tuple[Step, ...]:
    """By when a cluster is to hold no more than how many."""
    return tuple(Step(datetime.fromisoformat(one["deadline"]), one["devices"]) for one in row.steps)


def shares(cluster: VirtualCluster) -> tuple[DeviceShare, ...]:
    """The devices a cluster has, or is to give back, as its host is to know them."""
    rows = Allocation.objects.filter(cluster=cluster, released_at=None).select_related("accelerator")
    return tuple(
        DeviceShare(
            key=row.accelerator.key,
            resource=row.accelerator.resource,
            amount=row.target,
            labels=dict(row.accelerator.labels),
            held=row.held,
            steps=steps_of(row),
            rungs=dict(row.rungs),
        )
        for row in rows.order_by("accelerator__key")
    )
