"""The request that a tenant's clusters make together for the devices that they lack."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tenancy import policy
from tenancy.actions import allocations, decisions
from tenancy.actions import request_rows as rows
from tenancy.actions.allocations import Account
from tenancy.enums import Permission
from tenancy.grant_enums import RequestVerb
from tenancy.models import GrantRequest, NodePool, VirtualCluster
from tenancy.queries import calendar
from tenancy.rules import requests as rules
from tenancy.rules.requests import Terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.policy import Actor

TEMPLATE: Final = "template"
"""Who changes a cluster that follows its template, as audit rows name it."""


def for_clusters(by: Actor | None, books: allocations.Books, changed: VirtualCluster) -> None:
    """One request for all that a tenant's clusters lack of a class in a pool; it follows what they lack. Locked by the caller.

    Only what a cluster that was just changed lacks is asked for: what was denied is not asked for again
    by itself. ``by`` is None for a cluster that follows its template, which asks nobody.
    """
    for row in _open(books):
        if row.for_clusters and row.pool_id is not None:
            lacking = books.lacking.get(Account(row.pool_id, row.accelerator_id), 0)
            if by and lacking > row.lacked:
                _check_asking(by, changed)
            _follow(row, lacking, by.name if by else TEMPLATE)
    if by:
        _wish(by, books, changed)
    in_turn(books)


def in_turn(books: allocations.Books) -> None:
    """Asks for what clusters wish for and nobody was asked for yet, one request for each class at a time. Locked by the caller.

    Where a request is open that will not help them (another pool's, a person's own) they wait until it is decided.
    """
    open_ = {row.accelerator_id: row for row in _open(books)}
    for account, lacking in sorted(books.lacking.items(), key=lambda item: str(item[0])):
        wishing = [cluster.unasked.get(account.accelerator.hex, "") for cluster in _lacking(books, account)]
        if lacking and any(wishing) and account.accelerator not in open_:
            open_[account.accelerator] = _ask(sorted({*wishing} - {""}), books, account, lacking)
    if _forget(books, open_):
        allocations.settle(books.tenant)  # what clusters are told has changed


def _wish(by: Actor, books: allocations.Books, changed: VirtualCluster) -> None:
    """Notes who wishes what a cluster lacks, unless an open request is about it already."""
    open_ = {row.accelerator_id: row for row in _open(books)}
    for account, lacking in books.lacking.items():
        helped = helps(open_.get(account.accelerator), account.pool)
        if lacking and not helped and changed.pk in {one.pk for one in _lacking(books, account)}:
            _check_asking(by, changed)
            books.clusters[changed.pk].unasked[account.accelerator.hex] = by.name


def _forget(books: allocations.Books, open_: Mapping[UUID, GrantRequest]) -> bool:
    """Drops the wishes that were asked for by now, or came true; whether any cluster waits for its turn otherwise than before."""
    known = dict(VirtualCluster.objects.filter(tenant=books.tenant).values_list("pk", "unasked"))
    still = {
        (cluster.pk, account.accelerator.hex)
        for account, lacking in books.lacking.items()
        if lacking and not helps(open_.get(account.accelerator), account.pool)
        for cluster in _lacking(books, account)
    }
    news = False
    for pk, cluster in books.clusters.items():
        cluster.unasked = {key: who for key, who in cluster.unasked.items() if (pk, key) in still}
        if cluster.unasked != known[pk]:
            VirtualCluster.objects.filter(pk=pk).update(unasked=cluster.unasked)
            news = True
    return news


def helps(request: GrantRequest | None, pool: UUID) -> bool:
    """Whether an open request is the one that follows what clusters in a pool lack."""
    return request is not None and request.for_clusters and request.pool_id == pool


def _check_asking(by: Actor, changed: VirtualCluster) -> None:
    """Asking for more is a right of its own; what follows from a deletion is asked by nobody."""
    if not changed.deleting:
        policy.check(by, Permission.GPU_REQUEST, changed.tenant)


def _open(books: allocations.Books) -> QuerySet[GrantRequest]:
    rows = GrantRequest.objects.filter(tenant=books.tenant, state__in=rules.OPEN)
    return rows.select_related("tenant", "accelerator", "pool")


def _ask(wishing: list[str], books: allocations.Books, account: Account, lacking: int) -> GrantRequest:
    accelerator, today = books.classes[account.accelerator], calendar.today()
    names = ", ".join(sorted(cluster.name for cluster in _lacking(books, account)))
    made = rows.make(
        books.tenant,
        accelerator,
        Terms(lacking, today, today + timedelta(days=accelerator.default_days)),
        f"more than is granted is asked for by {names}"[: rules.TEXT_MAX],
        wishing[0],
        *wishing[1:],
        pool=NodePool.objects.select_related("host").get(pk=account.pool),
        for_clusters=True,
    )
    decisions.at_once(made)
    return made


def _follow(request: GrantRequest, lacking: int, by: str) -> None:
    if not lacking:
        rows.move(request, RequestVerb.WITHDRAW, by, "no cluster lacks devices any more")
    elif lacking != request.lacked:
        changes = {"amount": lacking, "lacked": lacking, "endorsed_by": ""}
        rows.move(request, RequestVerb.AMEND, by, "", **changes)
        decisions.at_once(request)


def _lacking(books: allocations.Books, account: Account) -> Iterator[VirtualCluster]:
    for uid, wish in books.asked.items():
        row = books.open.get((uid, account.accelerator))
        cluster = books.clusters[uid]
        if cluster.pool_id == account.pool and wish.get(account.accelerator, 0) > (row.target if row else 0):
            yield cluster
