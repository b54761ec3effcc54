"""The request that a tenant's clusters make together for the devices that they lack."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tenancy import policy
from tenancy.actions import decisions
from tenancy.actions import request_rows as rows
from tenancy.actions.allocations import Account
from tenancy.enums import Permission
from tenancy.grant_enums import RequestState, RequestVerb
from tenancy.models import GrantRequest, NodePool
from tenancy.queries import calendar
from tenancy.rules import requests as rules
from tenancy.rules.requests import Terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

    from tenancy.actions import allocations
    from tenancy.models import VirtualCluster
    from tenancy.policy import Actor


TEMPLATE: Final = "template"
"""Who changes a cluster that follows its template, as audit rows name it."""


def for_clusters(by: Actor | None, books: allocations.Books, changed: VirtualCluster) -> None:
    """One request for all that a tenant's clusters lack of a class; it follows what they lack. Locked by the caller.

    Only a cluster that was just changed, or one that had to let another pool's request go first,
    makes a new one: what was denied is not asked for again by itself. ``by`` is None for a cluster that
    follows its template, which asks nobody.
    """
    who = by.name if by else TEMPLATE
    waiting = {row.accelerator_id: row for row in _open(books)}
    withdrawn = set()
    for row in list(waiting.values()):
        if row.for_clusters and row.pool_id is not None:
            lacking = books.lacking.get(Account(row.pool_id, row.accelerator_id), 0)
            if by and lacking > row.amount:
                _check_asking(by, changed)
            _follow(row, lacking, who)
            if row.state == RequestState.WITHDRAWN:
                withdrawn.add(waiting.pop(row.accelerator_id).accelerator_id)
    for account, lacking in sorted(books.lacking.items(), key=lambda item: str(item[0])):
        asks = account.accelerator in withdrawn or changed.name in set(_lacking(books, account))
        if by and lacking and asks and account.accelerator not in waiting:
            _check_asking(by, changed)
            waiting[account.accelerator] = _ask(by, books, account, lacking)


def _check_asking(by: Actor, changed: VirtualCluster) -> None:
    """Asking for more is a right of its own; what follows from a deletion is asked by nobody."""
    if not changed.deleting:
        policy.check(by, Permission.GPU_REQUEST, changed.tenant)


def _open(books: allocations.Books) -> QuerySet[GrantRequest]:
    rows = GrantRequest.objects.filter(tenant=books.tenant, state__in=rules.OPEN)
    return rows.select_related("tenant", "accelerator", "pool")


def _ask(by: Actor, books: allocations.Books, account: Account, lacking: int) -> GrantRequest:
    accelerator, today = books.classes[account.accelerator], calendar.today()
    made = rows.make(
        books.tenant,
        accelerator,
        Terms(lacking, today, today + timedelta(days=accelerator.default_days)),
        f"more than is granted is asked for by {', '.join(sorted(_lacking(books, account)))}"[
            : rules.TEXT_MAX
        ],
        by.name,
        pool=NodePool.objects.select_related("host").get(pk=account.pool),
        for_clusters=True,
    )
    decisions.at_once(made)
    return made


def _follow(request: GrantRequest, lacking: int, by: str) -> None:
    if not lacking:
        rows.move(request, RequestVerb.WITHDRAW, by, "no cluster lacks devices any more")
    elif lacking != request.amount:
        changes = {"amount": lacking, "endorsed_by": ""}
        rows.move(request, RequestVerb.AMEND, by, "", **changes)
        decisions.at_once(request)


def _lacking(books: allocations.Books, account: Account) -> Iterator[str]:
    for uid, wish in books.asked.items():
        row = books.open.get((uid, account.accelerator))
        cluster = books.clusters[uid]
        if cluster.pool_id == account.pool and wish.get(account.accelerator, 0) > (row.target if row else 0):
            yield cluster.name
