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
from tenancy.queries import accelerators, calendar, weighing
from tenancy.queries import grants as known
from tenancy.rules import requests as rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from tenancy.models import GrantRequest, NodePool
    from tenancy.policy import Actor
    from tenancy.queries.weighing import Place, Weighed
    from tenancy.rules.requests import Terms


@atomic
def approve(*, by: Actor, uid: UUID, reason: str, pool: tuple[str, str] | None = None) -> GrantRequest:
    """Agrees to the terms as they stand: the first of two approvers, or the grant; looked at anew under the lock."""
    request = _decidable(by, uid, RequestVerb.APPROVE, reason)
    verb = rules.agreed(rows.standing(request), request.amount, request.accelerator.two_approvers_from)
    rules.after(RequestState(request.state), verb)
    if verb is RequestVerb.ENDORSE:
        _refuse_stale(request, calendar.today())
        rows.move(request, verb, by.name, reason, endorsed_by=by.name)
    else:
        grant_now(request, verb, by.name, reason, _named(request, pool) if pool else ())
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
    if _weigh(request, known.candidates(request), calendar.today()).modest:
        why = f"up to {request.accelerator.auto_approve_up_to} are approved without being asked"
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
    request: GrantRequest, verb: RequestVerb, by: str, reason: str, among: Sequence[UUID] = ()
) -> None:
    """Locks, looks again, and writes decision, ledger, audit and notices in one transaction.

    ``among`` are the pools to choose from; without, all in which it may be granted. Called in a unit
    that has no lock yet, or those of these pools and the tenant.
    """
    rules.after(RequestState(request.state), verb)
    locked = balances.lock(among or known.candidate_keys(request))
    request.tenant = balances.lock_tenant(request.tenant_id)
    now = calendar.now()
    today = now.date()
    _refuse_stale(request, today)
    able = [pool for pool in locked if accelerators.usable(pool, request.tenant)]
    found = _weigh(request, able, today).best
    if found is None or not found.verdict.granted:
        raise _does_not_fit(request, found)
    grant = grants.make(request, found.pool, found.room, now)
    rows.move(request, verb, by, reason, grant=grant)
    kept = found.room.promises
    if request.extends is None:
        kept = (*kept, weighing.promise(grant, today))
    else:
        kept = weighing.promises(found.pool, request.accelerator, today)
    balances.promised(found.pool, request.accelerator, kept, today)
    if request.extends is None and grant.activated_at is not None:
        grants.begun(grant)


def _decidable(by: Actor, uid: UUID, verb: RequestVerb, reason: str) -> GrantRequest:
    """A request that this admin may decide, looked at before any lock."""
    request = known.get_request(by, uid)
    policy.check(by, Permission.GPU_APPROVE)
    rules.refuse_own(rows.standing(request), by.name, verb)
    refuse(rules.text_faults("reason", reason, "why"))
    return request


def _named(request: GrantRequest, named: tuple[str, str]) -> list[UUID]:
    """The pool that an approver chose among those in which this may be granted."""
    able = known.candidates(request)
    found = accelerators.named(able, named)
    if found is None:
        names = accelerators.listed(able) or "none"
        detail = f"it can be granted in {names}: choose one of these, or leave the pool out"
        refuse((FieldError("pool", "not-offered", detail),))
    return [found.pk] if found else []


def _refuse_stale(request: GrantRequest, today: date) -> None:
    """What has changed since it was asked for: its days are over, or its tenant may do nothing now."""
    if rows.lapsed(request, today):
        msg = "its days, or those of the grant that it extends, are over: deny it, and have them ask again"
        raise Conflict(msg)
    if request.tenant.suspended:
        msg = f"tenant {request.tenant.name!r} is suspended: lift that first, or deny the request"
        raise Conflict(msg)


def _weigh(request: GrantRequest, pools: Sequence[NodePool], today: date) -> Weighed:
    return weighing.weigh(request.tenant, request.accelerator, known.asked(request), pools, today)


def _does_not_fit(request: GrantRequest, best: Place | None) -> DoesNotFit:
    if best is None:
        key = request.accelerator.key
        return DoesNotFit(f"no node pool that takes clusters has {key!r} for this tenant: give it one first")
    nearest = best.verdict.fits
    fix = f"offer {nearest} instead (counter)" if nearest else "deny it, or wait until devices are free"
    detail = f"{request.amount} do not fit: {best.verdict.reason}; {fix}"
    return DoesNotFit(detail, errors=(FieldError("amount", "does-not-fit", f"nearest that fits: {nearest}"),))
