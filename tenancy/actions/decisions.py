"""Decisions on requests: by an admin who did not ask, or by policy; looked at anew under the ledger's locks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.actions import balances, grants, notices
from tenancy.actions import request_rows as rows
from tenancy.actions.unit import atomic
from tenancy.enums import Permission
from tenancy.errors import Conflict, DoesNotFit, FieldError, refuse
from tenancy.grant_enums import RequestState, RequestVerb
from tenancy.queries import accelerators, calendar
from tenancy.queries import grants as known
from tenancy.rules import ledger
from tenancy.rules import requests as rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from tenancy.models import GrantRequest, NodePool
    from tenancy.policy import Actor
    from tenancy.rules.ledger import Room, Verdict
    from tenancy.rules.requests import Terms


@atomic
def approve(*, by: Actor, uid: UUID, reason: str, pool: tuple[str, str] | None = None) -> GrantRequest:
    """Agrees to the terms as they stand: the first of two approvers, or the grant; looked at anew under the lock."""
    request = _decidable(by, uid, RequestVerb.APPROVE, reason)
    verb = rules.agreed(rows.standing(request), request.amount, request.accelerator.two_approvers_from)
    rules.after(RequestState(request.state), verb)
    _refuse_stale(request, calendar.today())
    if verb is RequestVerb.ENDORSE:
        rows.move(request, verb, by.name, reason, endorsed_by=by.name)
    else:
        grant_now(request, verb, by.name, reason, _named(request, pool) if pool else None)
    return request


@atomic
def counter(*, by: Actor, uid: UUID, terms: Terms, reason: str) -> GrantRequest:
    """Offers something else, which the tenant accepts or declines."""
    request = _decidable(by, uid, RequestVerb.COUNTER, reason)
    if request.extends is not None:
        terms = replace(terms, amount=request.amount, starts_on=request.starts_on)
        refuse(rows.extension_faults(request.extends, terms.ends_on))
    else:
        if terms.starts_on == request.starts_on:  # a day that has passed since means: at once
            terms = replace(terms, starts_on=max(terms.starts_on, calendar.today()))
        refuse(rows.term_faults(terms, request.accelerator))
    rows.move(request, RequestVerb.COUNTER, by.name, reason, endorsed_by=by.name, **rows.columns(terms))
    return request


@atomic
def deny(*, by: Actor, uid: UUID, reason: str) -> GrantRequest:
    """Says no; clusters that wait for it go on waiting, with their two ways on."""
    request = _decidable(by, uid, RequestVerb.DENY, reason)
    rows.move(request, RequestVerb.DENY, by.name, reason)
    return request


def at_once(request: GrantRequest) -> None:
    """Approves what the class's policy lets pass; asks the approvers for all else."""
    most, today = request.accelerator.auto_approve_up_to, calendar.today()
    mine = known.account(request.tenant, request.accelerator, today)
    modest = ledger.modest(known.asked(request), mine, most)
    if modest and _best(request, known.candidates(request), today) is not None:
        why = f"up to {most} are approved without being asked"
        grant_now(request, RequestVerb.AUTO_APPROVE, rows.POLICY, why)
        return
    notices.tell(
        notices.approvers(but=rows.standing(request).asked_by),
        key=f"request/{request.uid}/{request.changed_at.isoformat()}",
        subject=f"{request.tenant} asks for {request.amount} {request.accelerator}",
        body=f"{request.requested_by}: {request.justification}. Decide it in the portal.",
        link=f"/gpu/requests/{request.uid}",
    )


def grant_now(
    request: GrantRequest, verb: RequestVerb, by: str, reason: str, pools: Sequence[NodePool] | None = None
) -> None:
    """Locks, looks again, and writes decision, ledger, audit and notices in one transaction.

    ``pools`` are those to choose from; without, all in which it may be granted. Called in a unit
    that has no lock yet, or those of these pools and the tenant.
    """
    rules.after(RequestState(request.state), verb)
    meant = known.candidates(request) if pools is None else pools
    locked = balances.lock([pool.pk for pool in meant], request.tenant_id)
    now = calendar.now()
    today = now.date()
    _refuse_stale(request, today)
    able = [pool for pool in locked if accelerators.usable(pool, request.tenant)]
    found = _best(request, able, today)
    if found is None:
        raise _does_not_fit(request, able, today)
    where, room = found
    grant = grants.make(request, where, room, now)
    rows.move(request, verb, by, reason, grant=grant)
    if request.extends is not None:
        balances.promised(
            where, request.accelerator, known.promises(where, request.accelerator, today), today
        )
        return
    balances.promised(where, request.accelerator, (*room.promises, known.promise(grant, today)), today)
    if grant.activated_at is not None:
        grants.begun(grant)


def _decidable(by: Actor, uid: UUID, verb: RequestVerb, reason: str) -> GrantRequest:
    """A request that this admin may decide, looked at before any lock."""
    request = known.get_request(by, uid)
    policy.check(by, Permission.GPU_APPROVE)
    rules.refuse_own(rows.standing(request), by.name, verb)
    refuse(rules.text_faults("reason", reason, "why"))
    return request


def _named(request: GrantRequest, named: tuple[str, str]) -> list[NodePool]:
    """The pool that an approver chose among those in which this may be granted."""
    able = known.candidates(request)
    found = accelerators.named(able, named)
    if found is None:
        names = accelerators.listed(able) or "none"
        detail = f"it can be granted in {names}: choose one of these, or leave the pool out"
        refuse((FieldError("pool", "not-offered", detail),))
    return [found] if found else []


def _refuse_stale(request: GrantRequest, today: date) -> None:
    """What has changed since it was asked for: its days are over, or its tenant may do nothing now."""
    if rows.lapsed(request, today):
        msg = "its days, or those of the grant that it extends, are over: deny it, and have them ask again"
        raise Conflict(msg)
    if request.tenant.suspended:
        msg = f"tenant {request.tenant.name!r} is suspended: lift that first, or deny the request"
        raise Conflict(msg)


def _weigh(request: GrantRequest, pools: Sequence[NodePool], today: date) -> list[tuple[Room, Verdict]]:
    terms, mine = known.asked(request), known.account(request.tenant, request.accelerator, today)
    rooms = [known.room(pool, request.accelerator, today) for pool in pools]
    return [(room, ledger.decide(terms, room, mine, today)) for room in rooms]


def _best(request: GrantRequest, pools: Sequence[NodePool], today: date) -> tuple[NodePool, Room] | None:
    """Where it fits now; under the locks this is the decision itself."""
    weighed = _weigh(request, pools, today)
    taken = ledger.best(weighed)
    if taken is None or not taken[1].granted:
        return None
    return next((pool, one[0]) for pool, one in zip(pools, weighed, strict=True) if one is taken)


def _does_not_fit(request: GrantRequest, pools: Sequence[NodePool], today: date) -> DoesNotFit:
    best = ledger.best(_weigh(request, pools, today))
    if best is None:
        key = request.accelerator.key
        return DoesNotFit(f"no node pool that takes clusters has {key!r} for this tenant: give it one first")
    nearest = best[1].fits
    fix = f"offer {nearest} instead (counter)" if nearest else "deny it, or wait until devices are free"
    detail = f"{request.amount} do not fit: {best[1].reason}; {fix}"
    return DoesNotFit(detail, errors=(FieldError("amount", "does-not-fit", f"nearest that fits: {nearest}"),))
