"""Reads of requests, grants and what clusters have of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.enums import Permission
from tenancy.errors import NotFound
from tenancy.models import Allocation, Grant, GrantRequest, PoolBalance
from tenancy.queries import accelerators, tenants
from tenancy.rules import accelerators as rules
from tenancy.rules import grants as courses
from tenancy.rules import ledger
from tenancy.rules.requests import Terms
from tenancy.rules.specs import DeviceShare

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.grant_enums import GrantPhase
    from tenancy.models import AcceleratorClass, NodePool, Tenant, VirtualCluster
    from tenancy.policy import Actor
    from tenancy.rules.ledger import Account, Room, Verdict


@dataclass(frozen=True)
class Choice:
    """One pool where a request could be granted, and what would come of it."""

    pool: NodePool
    room: Room
    verdict: Verdict


@dataclass(frozen=True)
class WhatIf:
    """Everything an approver sees before deciding; by the very function that admits."""

    terms: Terms
    choices: tuple[Choice, ...]
    account: Account
    best: Choice | None
    """Where it would be granted if it were approved without naming a pool."""
    ending: tuple[Grant, ...]
    """Grants of the class that end before, or soon after, this one begins."""


def requests_visible_to(actor: Actor, tenant: Tenant | None = None) -> QuerySet[GrantRequest]:
    """Requests of one tenant, or of all that an actor may see; newest first."""
    rows = GrantRequest.objects.filter(tenant__in=tenants.visible_to(actor))
    rows = rows.filter(tenant=tenant) if tenant is not None else rows
    return rows.select_related(
        "tenant", "accelerator", "pool__host", "grant__pool__host", "extends__pool__host"
    )


def get_request(actor: Actor, uid: UUID) -> GrantRequest:
    """One request; ``NotFound`` for unknown and foreign ones alike."""
    found = requests_visible_to(actor).filter(uid=uid).first()
    if found is None:
        msg = "there is no such request, or none that you may see"
        raise NotFound(msg)
    policy.check(actor, Permission.CLUSTER_VIEW, found.tenant)
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
    policy.check(actor, Permission.CLUSTER_VIEW, found.tenant)
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


def promise(grant: Grant, today: date) -> ledger.Promise:
    """What counts of a grant that is not closed."""
    over = grant.ended_at is not None or today >= grant.ends_on
    return ledger.Promise(
        grant.tenant_id.hex,
        grant.amount,
        grant.starts_on,
        None if over else grant.ends_on,
        out=grant.activated_at is not None,
    )


def room(pool: NodePool, accelerator: AcceleratorClass, today: date) -> Room:
    """What decides about a pool: its capacity as last seen, and what is promised there."""
    known = PoolBalance.objects.filter(pool=pool, accelerator=accelerator).first()
    counted = Grant.objects.filter(pool=pool, accelerator=accelerator, closed_at=None)
    return ledger.Room(
        pool=pool.name,
        host=pool.host.name,
        capacity=known.capacity if known else 0,
        promises=tuple(promise(grant, today) for grant in counted),
    )


def account(tenant: Tenant, accelerator: AcceleratorClass, today: date) -> Account:
    """What decides about a tenant: its limit, and what it is promised in all pools."""
    counted = Grant.objects.filter(tenant=tenant, accelerator=accelerator, closed_at=None)
    promises = tuple(promise(grant, today) for grant in counted)
    return ledger.Account(promises, accelerators.limit(tenant, accelerator))


def asked(request: GrantRequest) -> Terms:
    """The terms that are to be admitted: of an extension, the days that it adds."""
    since = request.extends.ends_on if request.extends is not None else request.starts_on
    return Terms(request.amount, since, request.ends_on)


def candidates(request: GrantRequest) -> list[NodePool]:
    """The pools in which it may be granted: the one that it is about, else all that have the class and take clusters."""
    fixed = request.extends.pool if request.extends is not None else request.pool
    if fixed is not None:
        return [fixed] if accelerators.usable(fixed, request.tenant) else []
    able = accelerators.pools_with(request.accelerator, request.tenant)
    return [pool for pool in able if pool.host.accepts_clusters]


def what_if(request: GrantRequest, terms: Terms, today: date) -> WhatIf:
    """What would come of approving these terms now, in each pool; takes no lock and changes nothing."""
    rule, mine = (
        accelerators.to_rule(request.accelerator),
        account(request.tenant, request.accelerator, today),
    )
    choices = []
    pools = candidates(request)
    used = accelerators.used_on_nodes(request.accelerator, pools)
    for pool in pools:
        nodes = rules.rooms(rule, accelerators.nodes_of(pool), used[str(pool.uid)])
        here = replace(room(pool, request.accelerator, today), nodes=nodes)
        choices.append(Choice(pool, here, ledger.decide(terms, here, mine, today)))
    taken = ledger.best([(choice.room, choice.verdict) for choice in choices])
    ending = Grant.objects.filter(accelerator=request.accelerator, pool__in=pools, closed_at=None)
    return WhatIf(
        terms=terms,
        choices=tuple(choices),
        account=mine,
        best=next((c for c in choices if taken and c.room is taken[0]), None),
        ending=tuple(ending.select_related("tenant", "pool__host").order_by("ends_on")[:10]),
    )


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
            deadline=row.deadline,
            rungs=dict(row.rungs),
        )
        for row in rows.order_by("accelerator__key")
    )
