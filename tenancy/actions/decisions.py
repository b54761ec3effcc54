"""Decisions on requests: by an admin who did not ask, or by policy; looked at anew under the ledger's locks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.actions import balances, grants, notices
from tenancy.actions import request_rows as rows
from tenancy.actions.unit import atomic
from tenancy.enums import Permission
from tenancy.errors import DoesNotFit, FieldError
from tenancy.grant_enums import RequestKind, RequestState, RequestVerb
from tenancy.queries import calendar
from tenancy.queries import grants as known
from tenancy.rules import ledger
from tenancy.rules import requests as rules

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from tenancy.models import GrantRequest, NodePool
    from tenancy.policy import Actor
    from tenancy.rules.requests import Terms


@atomic
def approve(*, by: Actor, uid: UUID, reason: str, pool: tuple[str, str] | None = None) -> GrantRequest:
    """Agrees to the terms as they stand: the first of two approvers, or the grant; looked at anew under the lock."""
    request = _decidable(by, uid, RequestVerb.APPROVE, reason)
    verb = rules.agreed(rows.standing(request), request.amount, request.accelerator.two_approvers_from)
    rules.after(RequestState(request.state), verb)
    if verb is RequestVerb.ENDORSE:
        rows.move(request, verb, by.name, reason, endorsed_by=by.name)
        return request
    where, faults = rows.pool_named(request.accelerator, request.tenant, pool)
    rows.refuse(faults)
    grant_now(request, verb, by.name, reason, where)
    return request


@atomic
def counter(*, by: Actor, uid: UUID, terms: Terms, reason: str) -> GrantRequest:
    """Offers something else, which the tenant accepts or declines."""
    request = _decidable(by, uid, RequestVerb.COUNTER, reason)
    if request.kind == RequestKind.EXTENSION:
        terms = replace(terms, amount=request.amount, starts_on=request.starts_on)
    else:
        rows.refuse(tuple(rows.term_faults(terms, request.accelerator)))
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
    terms = known.asked(request)
    together = request.amount + ledger.peak(mine.promises, terms.starts_on, terms.ends_on)
    if together <= most and _fitting(request, terms, today, request.pool) is not None:
        grant_now(
            request,
            RequestVerb.AUTO_APPROVE,
            rows.POLICY,
            f"up to {most} are approved without being asked",
            None,
        )
        return
    notices.tell(
        notices.approvers(but=request.requested_by),
        key=f"request/{request.uid}/{request.changed_at.isoformat()}",
        subject=f"{request.tenant} asks for {request.amount} {request.accelerator}",
        body=f"{request.requested_by}: {request.justification}. Decide it in the portal.",
        link=f"/gpu/requests/{request.uid}",
    )


def grant_now(request: GrantRequest, verb: RequestVerb, by: str, reason: str, pool: NodePool | None) -> None:
    """Locks, looks again, and writes decision, ledger, audit and notices in one transaction."""
    rules.after(RequestState(request.state), verb)
    pool = pool or request.pool
    candidates = [pool] if pool else known.candidates(request)
    balances.lock([p.pk for p in candidates], request.tenant_id)
    terms, today = known.asked(request), calendar.today()
    where = _fitting(request, terms, today, pool)
    if where is None:
        raise _does_not_fit(request, terms, today, pool)
    grant = grants.make(request, where)
    rows.move(request, verb, by, reason, grant=grant)
    balances.promised(where, request.accelerator)
    grants.activate_locked(grant, today)


def _decidable(by: Actor, uid: UUID, verb: RequestVerb, reason: str) -> GrantRequest:
    """A request that this admin may decide, looked at before any lock."""
    request = known.get_request(by, uid)
    policy.check(by, Permission.GPU_APPROVE)
    rules.refuse_own(rows.standing(request), by.name, verb)
    rows.refuse(tuple(rules.text_faults("reason", reason, "why")))
    return request


def _fitting(request: GrantRequest, terms: Terms, today: date, pool: NodePool | None) -> NodePool | None:
    """Where it fits now; under the locks this is the decision itself."""
    mine = known.account(request.tenant, request.accelerator, today)
    verdicts = []
    pools = [pool] if pool else known.candidates(request)
    for one in pools:
        room = known.room(one, request.accelerator, today)
        verdicts.append((room, ledger.decide(terms, room, mine, today)))
    taken = ledger.best(verdicts)
    if taken is None or not taken[1].granted:
        return None
    return next(p for p, (room, _) in zip(pools, verdicts, strict=True) if room is taken[0])


def _does_not_fit(request: GrantRequest, terms: Terms, today: date, pool: NodePool | None) -> DoesNotFit:
    shown = known.what_if(request, terms, today)
    named = [c for c in shown.choices if pool is None or c.pool == pool]
    best = max(named, key=lambda c: c.verdict.fits, default=None)
    if best is None:
        return DoesNotFit(f"no node pool has {request.accelerator.key!r}: put its nodes into one first")
    nearest = best.verdict.fits
    fix = f"offer {nearest} instead (counter)" if nearest else "deny it, or wait until devices are free"
    detail = f"{request.amount} do not fit: {best.verdict.reason}; {fix}"
    return DoesNotFit(detail, errors=(FieldError("amount", "does-not-fit", f"nearest that fits: {nearest}"),))
