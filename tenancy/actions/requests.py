"""The workflow of requests for devices: asked, decided by somebody else, told to each party; ``rules.requests`` has the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.utils import timezone

from tenancy import policy
from tenancy.actions import allocations, audit, balances, grants, notices
from tenancy.enums import Permission, RequestKind, RequestState, RequestVerb
from tenancy.errors import AlreadyExists, Conflict, DoesNotFit, FieldError, Invalid
from tenancy.models import Grant, GrantRequest, NodePool
from tenancy.queries import accelerators, calendar, tenants
from tenancy.queries import grants as known
from tenancy.rules import ledger
from tenancy.rules import requests as rules
from tenancy.rules.requests import Standing, Terms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from uuid import UUID

    from tenancy.models import AcceleratorClass, Tenant
    from tenancy.policy import Actor

POLICY: Final = "policy"
"""Who decides where no person has to."""


@transaction.atomic
def submit(
    *,
    by: Actor,
    tenant_name: str,
    key: str,
    terms: Terms,
    justification: str,
    pool: tuple[str, str] | None = None,
) -> GrantRequest:
    """Asks for devices; ``pool`` is host and name. Approved at once where the class's policy says so."""
    tenant = tenants.get(by, tenant_name)
    policy.check(by, Permission.GPU_REQUEST, tenant)
    wanted = _class(key)
    faults = (
        *_term_faults(terms, wanted),
        *rules.text_faults("spec.justification", justification, "what for"),
    )
    where, pool_faults = _pool(wanted, tenant, pool)
    _refuse((*faults, *pool_faults))
    balances.lock([], tenant.pk)
    _refuse_second(tenant, wanted)
    made = _make(tenant, wanted, terms, justification, by.name, pool=where)
    _perhaps_at_once(made)
    return made


@transaction.atomic
def extend(*, by: Actor, grant_uid: UUID, ends_on: date, justification: str) -> GrantRequest:
    """Asks for more days of a grant that is not over."""
    grant = known.get(by, grant_uid)
    policy.check(by, Permission.GPU_REQUEST, grant.tenant)
    if grant.ended_at is not None:
        msg = "this grant is over and its devices are on their way back: make a new request"
        raise Conflict(msg)
    longest, today = grant.accelerator.longest_days, calendar.today()
    terms = Terms(grant.amount, grant.starts_on, ends_on)
    faults = [*rules.text_faults("spec.justification", justification, "what for")]
    if ends_on <= grant.ends_on:
        faults.append(FieldError("spec.until", "out-of-range", f"give a day after {grant.ends_on}"))
    elif (ends_on - max(today, grant.starts_on)).days > longest:
        faults.append(FieldError("spec.until", "out-of-range", f"at most {longest} days from today"))
    _refuse(tuple(faults))
    balances.lock([], grant.tenant_id)
    _refuse_second(grant.tenant, grant.accelerator)
    made = _make(
        grant.tenant, grant.accelerator, terms, justification, by.name, pool=grant.pool, extends=grant
    )
    _perhaps_at_once(made)
    return made


@transaction.atomic
def approve(*, by: Actor, uid: UUID, reason: str, pool: tuple[str, str] | None = None) -> GrantRequest:
    """Agrees to the terms as they stand: the first of two approvers, or the grant; looked at anew under the lock."""
    request = _decidable(by, uid, RequestVerb.APPROVE, reason)
    verb = rules.agreed(_standing(request), request.amount, request.accelerator.two_approvers_from)
    rules.after(RequestState(request.state), verb)
    if verb is RequestVerb.ENDORSE:
        _move(request, verb, by.name, reason, endorsed_by=by.name)
        return request
    where, faults = _pool(request.accelerator, request.tenant, pool)
    _refuse(faults)
    _grant(request, verb, by.name, reason, where)
    return request


@transaction.atomic
def counter(*, by: Actor, uid: UUID, terms: Terms, reason: str) -> GrantRequest:
    """Offers something else, which the tenant accepts or declines."""
    request = _decidable(by, uid, RequestVerb.COUNTER, reason)
    if request.kind == RequestKind.EXTENSION:
        terms = replace(terms, amount=request.amount, starts_on=request.starts_on)
    else:
        _refuse(tuple(_term_faults(terms, request.accelerator)))
    _move(request, RequestVerb.COUNTER, by.name, reason, endorsed_by=by.name, **_columns(terms))
    return request


@transaction.atomic
def deny(*, by: Actor, uid: UUID, reason: str) -> GrantRequest:
    """Says no; clusters that wait for it go on waiting, with their two ways on."""
    request = _decidable(by, uid, RequestVerb.DENY, reason)
    _move(request, RequestVerb.DENY, by.name, reason)
    return request


@transaction.atomic
def accept(*, by: Actor, uid: UUID) -> GrantRequest:
    """Takes a counter-offer: the grant, or the wait for a second approver."""
    request = _own(by, uid)
    state = RequestState(request.state)
    if state is not RequestState.COUNTERED:
        rules.after(state, RequestVerb.ACCEPT)
    verb = rules.accepted(request.amount, request.accelerator.two_approvers_from)
    if verb is RequestVerb.ENDORSE:
        _move(request, verb, by.name, request.decision)
    else:
        _grant(request, verb, request.endorsed_by, request.decision, request.pool)
    return request


@transaction.atomic
def decline(*, by: Actor, uid: UUID) -> GrantRequest:
    """Refuses a counter-offer."""
    request = _own(by, uid)
    _move(request, RequestVerb.DECLINE, by.name, request.decision)
    return request


@transaction.atomic
def withdraw(*, by: Actor, uid: UUID) -> GrantRequest:
    """Takes a request back that nobody has decided."""
    request = _own(by, uid)
    _move(request, RequestVerb.WITHDRAW, by.name, "")
    return request


@transaction.atomic
def lapse_old() -> int:
    """Ends requests that nobody decided in time; how many."""
    today, done = calendar.today(), 0
    waiting = GrantRequest.objects.filter(state__in=[s.value for s in rules.OPEN])
    for request in waiting.select_related("tenant", "accelerator"):
        if rules.lapsed(request.requested_at.date(), known.asked(request), today):
            _move(
                request, RequestVerb.LAPSE, POLICY, "nobody decided in time: ask again if it is still needed"
            )
            done += 1
    return done


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
            pool = _pool_row(account.pool)
            made = _make(books.tenant, accelerator, terms, text, by.name, pool=pool, for_clusters=True)
            _perhaps_at_once(made)
        elif open_ is not None and open_.for_clusters and open_.pool_id == account.pool:
            _follow(open_, lacking, by)


def _follow(request: GrantRequest, lacking: int, by: Actor) -> None:
    if not lacking:
        _move(request, RequestVerb.WITHDRAW, by.name, "no cluster lacks devices any more")
    elif lacking != request.amount:
        changes = {"amount": lacking, "endorsed_by": "", "requested_by": by.name}
        _move(request, RequestVerb.AMEND, by.name, "", **changes)
        _perhaps_at_once(request)


def _lacking(books: allocations.Books, account: allocations.Account) -> Iterator[str]:
    for uid, wish in books.asked.items():
        row = books.open.get((uid, account.accelerator))
        cluster = books.clusters[uid]
        if cluster.pool_id == account.pool and wish.get(account.accelerator, 0) > (row.target if row else 0):
            yield f"cluster {cluster.name}"


def _class(key: str) -> AcceleratorClass:
    found = accelerators.all_().filter(key=key, offered=True).first()
    if found is None:
        names = ", ".join(accelerators.all_().filter(offered=True).values_list("key", flat=True)) or "none"
        detail = f"there is no accelerator class {key!r}: known are {names}"
        raise Invalid(detail, errors=(FieldError("spec.class", "unknown-class", detail),))
    return found


def _pool(
    accelerator: AcceleratorClass, tenant: Tenant, named: tuple[str, str] | None
) -> tuple[NodePool | None, tuple[FieldError, ...]]:
    able = accelerators.pools_with(accelerator, tenant)
    if not able:
        detail = (
            f"no node pool has {accelerator.key!r}: an admin puts its nodes into one (Hosts → Node pools)"
        )
        return None, (FieldError("spec.class", "not-offered", detail),)
    if named is None:
        return None, ()
    found = next((p for p in able if (p.host.name, p.name) == named), None)
    if found is None:
        names = ", ".join(f"{p.host.name}/{p.name}" for p in able)
        return None, (FieldError("spec.pool", "not-offered", f"choose among {names}, or leave it out"),)
    return found, ()


def _pool_row(uid: UUID) -> NodePool:
    return NodePool.objects.select_related("host").get(pk=uid)


def _refuse(faults: tuple[FieldError, ...]) -> None:
    if faults:
        raise Invalid("; ".join(f"{e.path}: {e.detail}" for e in faults), errors=faults)


def _term_faults(terms: Terms, accelerator: AcceleratorClass) -> Iterator[FieldError]:
    return rules.term_faults(terms, calendar.today(), accelerator.longest_days)


def _refuse_second(tenant: Tenant, accelerator: AcceleratorClass) -> None:
    open_ = GrantRequest.objects.filter(
        tenant=tenant, accelerator=accelerator, state__in=[s.value for s in rules.OPEN]
    ).first()
    if open_ is not None:
        msg = (
            f"tenant {tenant.name!r} has an open request for {accelerator.key!r} already ({open_.uid}):"
            " wait for the decision, or withdraw it first"
        )
        raise AlreadyExists(msg)


def _make(
    tenant: Tenant,
    accelerator: AcceleratorClass,
    terms: Terms,
    justification: str,
    by: str,
    *,
    pool: NodePool | None = None,
    extends: Grant | None = None,
    for_clusters: bool = False,
) -> GrantRequest:
    made = GrantRequest.objects.create(
        tenant=tenant,
        accelerator=accelerator,
        kind=RequestKind.EXTENSION if extends else RequestKind.GRANT,
        pool=pool,
        extends=extends,
        justification=justification,
        for_clusters=for_clusters,
        requested_by=by,
        changed_at=timezone.now(),
        **_columns(terms),
    )
    _note(made, "request.submit", by, justification=justification)
    return made


def _columns(terms: Terms) -> dict[str, Any]:
    return {"amount": terms.amount, "starts_on": terms.starts_on, "ends_on": terms.ends_on}


def _perhaps_at_once(request: GrantRequest) -> None:
    """Approves what the class's policy lets pass; asks the approvers for all else."""
    most, today = request.accelerator.auto_approve_up_to, calendar.today()
    mine = known.account(request.tenant, request.accelerator, today)
    terms = known.asked(request)
    together = request.amount + ledger.peak(mine.promises, terms.starts_on, terms.ends_on)
    if together <= most and _fitting(request, terms, today, request.pool) is not None:
        _grant(
            request, RequestVerb.AUTO_APPROVE, POLICY, f"up to {most} are approved without being asked", None
        )
        return
    notices.tell(
        notices.approvers(but=request.requested_by),
        key=f"request/{request.uid}/{request.changed_at.isoformat()}",
        subject=f"{request.tenant} asks for {request.amount} {request.accelerator}",
        body=f"{request.requested_by}: {request.justification}. Decide it in the portal.",
        link=f"/gpu/requests/{request.uid}",
    )


def _decidable(by: Actor, uid: UUID, verb: RequestVerb, reason: str) -> GrantRequest:
    """A request that this admin may decide, looked at before any lock."""
    request = known.get_request(by, uid)
    policy.check(by, Permission.GPU_APPROVE)
    rules.refuse_own(_standing(request), by.name, verb)
    _refuse(tuple(rules.text_faults("reason", reason, "why")))
    return request


def _own(by: Actor, uid: UUID) -> GrantRequest:
    request = known.get_request(by, uid)
    policy.check(by, Permission.GPU_REQUEST, request.tenant)
    return request


def _standing(request: GrantRequest) -> Standing:
    return Standing(RequestState(request.state), request.requested_by, request.endorsed_by)


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


def _grant(request: GrantRequest, verb: RequestVerb, by: str, reason: str, pool: NodePool | None) -> None:
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
    _move(request, verb, by, reason, grant=grant)
    balances.promised(where, request.accelerator)
    grants.activate_locked(grant, today)


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


def _move(request: GrantRequest, verb: RequestVerb, by: str, reason: str, **changes: Any) -> None:  # noqa: ANN401 - columns
    """Compare-and-swap: what somebody else has changed since it was read is not overwritten."""
    before = RequestState(request.state)
    values = {"state": rules.after(before, verb).value, "changed_at": timezone.now(), **changes}
    if verb in {
        RequestVerb.APPROVE,
        RequestVerb.AUTO_APPROVE,
        RequestVerb.ACCEPT,
        RequestVerb.DENY,
        RequestVerb.COUNTER,
    }:
        values |= {"decided_by": by, "decision": reason}
    same = GrantRequest.objects.filter(pk=request.pk, state=before.value, changed_at=request.changed_at)
    if same.update(**values) != 1:
        msg = "somebody else changed this request meanwhile: look at it again, then decide"
        raise Conflict(msg)
    for column, value in values.items():
        setattr(request, column, value)
    _note(request, f"request.{verb.value}", by, before=before.value, reason=reason)
    _tell(request, verb, by, reason)


def _tell(request: GrantRequest, verb: RequestVerb, by: str, reason: str) -> None:
    if verb is RequestVerb.AMEND:
        return
    subject = f"{request.amount} {request.accelerator} for {request.tenant}: {request.state}"
    notices.tell(
        [user for user in notices.those_who_ask(request.tenant) if user.username != by],
        key=f"request/{request.uid}/{verb.value}/{request.changed_at.isoformat()}",
        subject=subject,
        body=f"{by}: {reason}" if reason else f"by {by}",
        link=f"/gpu/requests/{request.uid}",
    )


def _note(request: GrantRequest, action: str, by: str, **facts: Any) -> None:  # noqa: ANN401 - facts are JSON
    audit.note(
        actor=by,
        action=action,
        tenant=request.tenant.name,
        target=f"request/{request.uid}",
        accelerator=request.accelerator.key,
        amount=request.amount,
        days=[request.starts_on.isoformat(), request.ends_on.isoformat()],
        state=RequestState(request.state).value,
        **facts,
    )
