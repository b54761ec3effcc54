"""What a tenant does with requests for devices: asks, takes or declines what is offered, takes its wish back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.actions import balances, decisions
from tenancy.actions import request_rows as rows
from tenancy.actions.unit import atomic
from tenancy.enums import Permission
from tenancy.errors import AlreadyExists, Conflict, FieldError, Invalid
from tenancy.grant_enums import RequestState, RequestVerb
from tenancy.models import AcceleratorClass, GrantRequest
from tenancy.queries import accelerators, calendar, tenants
from tenancy.queries import grants as known
from tenancy.rules import requests as rules
from tenancy.rules.requests import Terms

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from tenancy.models import Tenant
    from tenancy.policy import Actor


@atomic
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
        *rows.term_faults(terms, wanted),
        *rules.text_faults("spec.justification", justification, "what for"),
    )
    where, pool_faults = rows.pool_named(wanted, tenant, pool)
    rows.refuse((*faults, *pool_faults))
    balances.lock([], tenant.pk)
    _refuse_second(tenant, wanted)
    made = rows.make(tenant, wanted, terms, justification, by.name, pool=where)
    decisions.at_once(made)
    return made


@atomic
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
    rows.refuse(tuple(faults))
    balances.lock([], grant.tenant_id)
    _refuse_second(grant.tenant, grant.accelerator)
    made = rows.make(
        grant.tenant, grant.accelerator, terms, justification, by.name, pool=grant.pool, extends=grant
    )
    decisions.at_once(made)
    return made


@atomic
def accept(*, by: Actor, uid: UUID) -> GrantRequest:
    """Takes a counter-offer: the grant, or the wait for a second approver."""
    request = _own(by, uid)
    state = RequestState(request.state)
    if state is not RequestState.COUNTERED:
        rules.after(state, RequestVerb.ACCEPT)
    verb = rules.accepted(request.amount, request.accelerator.two_approvers_from)
    if verb is RequestVerb.ENDORSE:
        rows.move(request, verb, by.name, request.decision)
    else:
        decisions.grant_now(request, verb, request.endorsed_by, request.decision, request.pool)
    return request


@atomic
def decline(*, by: Actor, uid: UUID) -> GrantRequest:
    """Refuses a counter-offer."""
    request = _own(by, uid)
    rows.move(request, RequestVerb.DECLINE, by.name, request.decision)
    return request


@atomic
def withdraw(*, by: Actor, uid: UUID) -> GrantRequest:
    """Takes a request back that nobody has decided."""
    request = _own(by, uid)
    rows.move(request, RequestVerb.WITHDRAW, by.name, "")
    return request


@atomic
def lapse_old() -> int:
    """Ends requests that nobody decided in time; how many."""
    today, done = calendar.today(), 0
    waiting = GrantRequest.objects.filter(state__in=[s.value for s in rules.OPEN])
    for request in waiting.select_related("tenant", "accelerator"):
        if rules.lapsed(request.requested_at.date(), known.asked(request), today):
            rows.move(
                request,
                RequestVerb.LAPSE,
                rows.POLICY,
                "nobody decided in time: ask again if it is still needed",
            )
            done += 1
    return done


def _class(key: str) -> AcceleratorClass:
    found = accelerators.all_().filter(key=key, offered=True).first()
    if found is None:
        names = ", ".join(accelerators.all_().filter(offered=True).values_list("key", flat=True)) or "none"
        detail = f"there is no accelerator class {key!r}: known are {names}"
        raise Invalid(detail, errors=(FieldError("spec.class", "unknown-class", detail),))
    return found


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


def _own(by: Actor, uid: UUID) -> GrantRequest:
    request = known.get_request(by, uid)
    policy.check(by, Permission.GPU_REQUEST, request.tenant)
    return request
