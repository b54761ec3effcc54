"""What a tenant does with requests for devices: asks, takes or declines what is offered, takes its wish back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenancy import policy
from tenancy.actions import admission, balances, decisions, grants
from tenancy.actions import request_rows as rows
from tenancy.actions.admission import Wish
from tenancy.actions.unit import atomic
from tenancy.enums import Permission
from tenancy.errors import AlreadyExists, Conflict, FieldError, Invalid, refuse
from tenancy.grant_enums import RequestState, RequestVerb
from tenancy.models import AcceleratorClass, GrantRequest
from tenancy.queries import accelerators, calendar, tenants
from tenancy.queries import grants as known
from tenancy.rules import requests as rules
from tenancy.rules.requests import Terms

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from tenancy.models import Tenant
    from tenancy.policy import Actor


LATE: Final = "nobody decided in time, or what it was to extend is over: ask again if it is still needed"


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
    refuse((*faults, *pool_faults))
    # Approval by policy looks at the pools, and these are locked before the tenant.
    pools = [where] if where else balances.deciding_at_once(tenant, [wanted])
    balances.lock([pool.pk for pool in pools], tenant.pk)
    _refuse_second(tenant, wanted)
    made = rows.make(tenant, wanted, terms, justification, by.name, pool=where)
    decisions.at_once(made)
    return made


@atomic
def extend(*, by: Actor, grant_uid: UUID, ends_on: date, justification: str) -> GrantRequest:
    """Asks for more days of a grant that is not over."""
    grant = known.get(by, grant_uid)
    policy.check(by, Permission.GPU_REQUEST, grant.tenant)
    grants.refuse_over(grant, calendar.today())
    _class(grant.accelerator.key)
    terms = Terms(grant.amount, grant.starts_on, ends_on)
    text_faults = rules.text_faults("spec.justification", justification, "what for")
    refuse((*text_faults, *rows.extension_faults(grant, ends_on)))
    balances.lock([grant.pool_id], grant.tenant_id)
    _refuse_second(grant.tenant, grant.accelerator)
    made = rows.make(
        grant.tenant, grant.accelerator, terms, justification, by.name, pool=grant.pool, extends=grant
    )
    decisions.at_once(made)
    return made


@atomic
def accept(*, by: Actor, uid: UUID, seen: datetime | None = None) -> GrantRequest:
    """Takes a counter-offer: the grant, or the wait for a second approver."""
    request = _own(by, uid)
    rows.refuse_unseen(request, seen)
    verb = rules.accepted(request.amount, request.accelerator.two_approvers_from)
    rules.after(RequestState(request.state), verb)
    rules.refuse_own(rows.standing(request), by.name, verb)
    if verb is RequestVerb.CONCUR:
        rows.move(request, verb, by.name, request.decision)
    else:
        admission.admit(Wish(request, verb, by.name, request.decision))
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


def lapse_old() -> int:
    """Ends requests that nobody decided in time; how many. Each by itself: one that just changes stops no other."""
    today = calendar.today()
    waiting = GrantRequest.objects.filter(state__in=rules.OPEN)
    found = list(waiting.select_related("tenant", "accelerator", "extends"))
    return sum(_lapse(request.pk) for request in found if rows.lapsed(request, today))


@atomic
def _lapse(uid: UUID) -> bool:
    request = GrantRequest.objects.select_related("tenant", "accelerator", "extends").get(pk=uid)
    if RequestState(request.state) not in rules.OPEN or not rows.lapsed(request, calendar.today()):
        return False
    try:
        rows.move(request, RequestVerb.LAPSE, rows.POLICY, LATE)
    except Conflict:
        return False
    return True


def _class(key: str) -> AcceleratorClass:
    found = accelerators.all_().filter(key=key, offered=True).first()
    if found is None:
        names = ", ".join(accelerators.all_().filter(offered=True).values_list("key", flat=True)) or "none"
        detail = f"there is no accelerator class {key!r}: known are {names}"
        raise Invalid(detail, errors=(FieldError("spec.class", "unknown-class", detail),))
    return found


def _refuse_second(tenant: Tenant, accelerator: AcceleratorClass) -> None:
    open_ = GrantRequest.objects.filter(tenant=tenant, accelerator=accelerator, state__in=rules.OPEN).first()
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
