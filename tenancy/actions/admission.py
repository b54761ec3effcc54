"""Admits requests to the ledger: under its locks, one after the other, on books that are read once for all of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from tenancy.actions import balances, grants
from tenancy.actions import request_rows as rows
from tenancy.errors import Conflict, DoesNotFit, DomainError, FieldError, refuse
from tenancy.grant_enums import RequestState, RequestVerb
from tenancy.models import Grant
from tenancy.queries import accelerators, calendar
from tenancy.queries import grants as known
from tenancy.queries.weighing import Books
from tenancy.rules import requests as rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from tenancy.models import AcceleratorClass, GrantRequest, NodePool, Tenant
    from tenancy.queries.weighing import Place


@dataclass(frozen=True)
class Wish:
    """A decision that brings a grant if it fits."""

    request: GrantRequest
    verb: RequestVerb
    by: str
    reason: str
    place: tuple[str, str] | None = None
    """Host and name of the only pool that will do; ``None`` for the best of all."""


def admit(wish: Wish) -> None:
    """One alone; raises what stands against it."""
    rules.after(RequestState(wish.request.state), wish.verb)
    for refusal in admit_all([wish]).values():
        raise refusal


def admit_all(wishes: Sequence[Wish]) -> dict[UUID, DomainError]:
    """Locks, looks again, and writes decisions, ledger, audit and notices; request → why it is refused.

    Each is weighed on the books as those before it left them; for a refused one nothing is written.
    Called in a unit that has no lock yet, or those of these pools and tenants; each is of another request.
    """
    keys = _keys(wishes)
    locked = {pool.pk: pool for pool in balances.lock(chain.from_iterable(keys))}
    tenants = balances.lock_tenants(wish.request.tenant_id for wish in wishes)
    now = calendar.now()
    _look_again([wish.request for wish in wishes], tenants)
    classes = {wish.request.accelerator for wish in wishes}
    books = Books(classes, tenants.values(), locked.values(), now.date())
    drafts, refused = [], {}
    for wish, places in zip(wishes, keys, strict=True):
        try:
            grant = _draft(wish, [locked[key] for key in places if key in locked], books, now)
        except DomainError as error:
            refused[wish.request.pk] = error
        else:
            drafts.append((wish, grant))
    if drafts:
        _write(drafts, books)
    return refused


def refuse_stale(request: GrantRequest, today: date) -> None:
    """What has changed since it was asked for: its days are over, or its tenant may do nothing now."""
    if rows.lapsed(request, today):
        msg = "its days, or those of the grant that it extends, are over: deny it, and have them ask again"
        raise Conflict(msg)
    if request.tenant.suspended:
        msg = f"tenant {request.tenant.name!r} is suspended: lift that first, or deny the request"
        raise Conflict(msg)


def _keys(wishes: Sequence[Wish]) -> list[list[UUID]]:
    """The pools where each may be granted, to be locked: what they are by then is looked at under the lock."""
    asking: dict[AcceleratorClass, list[Tenant]] = defaultdict(list)
    for wish in wishes:
        if known.fixed_pool(wish.request) is None:
            asking[wish.request.accelerator].append(wish.request.tenant)
    offered = {one: accelerators.pools_with(one, *tenants) for one, tenants in asking.items()}
    return [_keys_of(wish, offered.get(wish.request.accelerator, ())) for wish in wishes]


def _keys_of(wish: Wish, offered: Sequence[NodePool]) -> list[UUID]:
    fixed = known.fixed_pool(wish.request)
    if fixed is not None:
        return [fixed]
    able = known.among(wish.request, offered)
    named = accelerators.named(able, wish.place) if wish.place else None
    return [pool.pk for pool in ([named] if named else able)]


def _look_again(requests: Sequence[GrantRequest], tenants: dict[UUID, Tenant]) -> None:
    """The tenants, and the grants that are to be longer, as they are under the locks."""
    longer = [request.extends_id for request in requests if request.extends_id is not None]
    extended = Grant.objects.select_related("tenant", "accelerator", "pool__host").in_bulk(longer)
    for request in requests:
        request.tenant = tenants[request.tenant_id]
        if request.extends_id is not None:
            request.extends = extended[request.extends_id]


def _draft(wish: Wish, places: Sequence[NodePool], books: Books, now: datetime) -> Grant:
    """The grant that it comes to, put down in the books; raises what stands against it."""
    request = wish.request
    refuse_stale(request, books.today)
    able = [pool for pool in places if accelerators.usable(pool, request.tenant)]
    if wish.place:
        able = _named(able, wish.place)
    found = books.weigh(request.tenant, request.accelerator, known.asked(request), able).best
    if found is None or not found.verdict.granted:
        raise _does_not_fit(request, found)
    grant = grants.drafted(request, found.pool, found.room, now)
    books.put(grant)
    return grant


def _write(drafts: Sequence[tuple[Wish, Grant]], books: Books) -> None:
    made = [grant for wish, grant in drafts if wish.request.extends is None]
    grants.write(made, [grant for wish, grant in drafts if wish.request.extends is not None])
    for pool, accelerator in {(grant.pool, grant.accelerator) for _, grant in drafts}:
        balances.promised(pool, accelerator, books.room(pool, accelerator).promises, books.today)
    rows.move_all(
        [rows.Move(wish.request, wish.verb, wish.by, wish.reason, {"grant": grant}) for wish, grant in drafts]
    )
    grants.begun_all([grant for grant in made if grant.activated_at is not None])


def _named(able: Sequence[NodePool], place: tuple[str, str]) -> list[NodePool]:
    """The pool that an approver chose among those in which this may be granted."""
    found = accelerators.named(able, place)
    if found is None:
        names = accelerators.listed(able) or "none"
        detail = f"it can be granted in {names}: choose one of these, or leave the pool out"
        refuse((FieldError("pool", "not-offered", detail),))
    return [found] if found else []


def _does_not_fit(request: GrantRequest, best: Place | None) -> DoesNotFit:
    if best is None:
        key = request.accelerator.key
        return DoesNotFit(f"no node pool that takes clusters has {key!r} for this tenant: give it one first")
    nearest = best.verdict.fits
    fix = f"offer {nearest} instead (counter)" if nearest else "deny it, or wait until devices are free"
    detail = f"{request.amount} do not fit: {best.verdict.reason}; {fix}"
    return DoesNotFit(detail, errors=(FieldError("amount", "does-not-fit", f"nearest that fits: {nearest}"),))
