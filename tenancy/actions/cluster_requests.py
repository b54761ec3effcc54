"""The request that a tenant's clusters make together for the devices that they lack."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tenancy.actions import decisions
from tenancy.actions import request_rows as rows
from tenancy.grant_enums import RequestVerb
from tenancy.models import GrantRequest, NodePool
from tenancy.queries import calendar
from tenancy.rules import requests as rules
from tenancy.rules.requests import Terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenancy.actions import allocations
    from tenancy.policy import Actor


def for_clusters(by: Actor, books: allocations.Books) -> None:
    """One request for all that a tenant's clusters lack of a class; follows what they lack. Locked by the caller."""
    for account, lacking in sorted(books.lacking.items(), key=lambda item: str(item[0])):
        accelerator = books.classes[account.accelerator]
        open_ = GrantRequest.objects.filter(
            tenant=books.tenant, accelerator=accelerator, state__in=[s.value for s in rules.OPEN]
        ).first()
        if open_ is None and lacking:
            today = calendar.today()
            terms = Terms(lacking, today, today + timedelta(days=accelerator.default_days))
            names = ", ".join(sorted(_lacking(books, account)))
            text = f"{names} asks for more than is granted"
            pool = NodePool.objects.select_related("host").get(pk=account.pool)
            made = rows.make(books.tenant, accelerator, terms, text, by.name, pool=pool, for_clusters=True)
            decisions.at_once(made)
        elif open_ is not None and open_.for_clusters and open_.pool_id == account.pool:
            _follow(open_, lacking, by)


def _follow(request: GrantRequest, lacking: int, by: Actor) -> None:
    if not lacking:
        rows.move(request, RequestVerb.WITHDRAW, by.name, "no cluster lacks devices any more")
    elif lacking != request.amount:
        changes = {"amount": lacking, "endorsed_by": "", "requested_by": by.name}
        rows.move(request, RequestVerb.AMEND, by.name, "", **changes)
        decisions.at_once(request)


def _lacking(books: allocations.Books, account: allocations.Account) -> Iterator[str]:
    for uid, wish in books.asked.items():
        row = books.open.get((uid, account.accelerator))
        cluster = books.clusters[uid]
        if cluster.pool_id == account.pool and wish.get(account.accelerator, 0) > (row.target if row else 0):
            yield f"cluster {cluster.name}"
