"""What people see before they ask or decide: by ``grants.what_if``, and so by the function that admits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.enums import Permission
from tenancy.errors import FieldError, Invalid
from tenancy.models import GrantRequest
from tenancy.queries import accelerators, calendar
from tenancy.queries.grants import asked, candidates, get_request, what_if
from tenancy.rules.requests import Terms

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from tenancy.models import AcceleratorClass, NodePool, Tenant
    from tenancy.policy import Actor
    from tenancy.queries.grants import WhatIf


def ask_if(actor: Actor, tenant: Tenant, accelerator: AcceleratorClass, terms: Terms) -> WhatIf:
    """The same for a request that nobody has made yet: what a tenant sees before it asks."""
    policy.check(actor, Permission.GPU_VIEW, tenant)
    return what_if(GrantRequest(tenant=tenant, accelerator=accelerator), terms, calendar.today())


def preview(
    actor: Actor,
    uid: UUID,
    *,
    amount: int | None = None,
    since: date | None = None,
    until: date | None = None,
    pool: tuple[str, str] | None = None,
) -> WhatIf:
    """What approving a request would come to, with other terms where given; for approvers."""
    request = get_request(actor, uid)
    policy.check_look(actor, Permission.GPU_APPROVE)
    terms = asked(request)
    if request.extends is None:
        terms = replace(terms, amount=amount or terms.amount, starts_on=since or terms.starts_on)
    terms = replace(terms, ends_on=until or terms.ends_on)
    if terms.ends_on <= terms.starts_on:
        detail = f"give a day after {terms.starts_on}: the last day is exclusive"
        raise Invalid(detail, errors=(FieldError("query.until", "out-of-range", detail),))
    return what_if(request, terms, calendar.today(), _named(request, pool))


def wished(key: str, amount: int, since: date | None, until: date | None) -> Terms:
    """What is asked for, with the days filled in that are left out."""
    row = accelerators.all_().filter(key=key).first()
    begins = since or calendar.today()
    return Terms(amount, begins, until or begins + timedelta(days=row.default_days if row else 1))


def offered(request: GrantRequest, amount: int | None, since: date | None, until: date | None) -> Terms:
    """What is offered instead; what is left out stays."""
    return Terms(amount or request.amount, since or request.starts_on, until or request.ends_on)


def _named(request: GrantRequest, pool: tuple[str, str] | None) -> NodePool | None:
    if pool is None:
        return None
    able = candidates(request)
    found = accelerators.named(able, pool)
    if found is None:
        names = accelerators.listed(able) or "none"
        detail = f"choose among {names}, or leave it out"
        raise Invalid(detail, errors=(FieldError("query.pool", "not-offered", detail),))
    return found
