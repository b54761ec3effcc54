"""What a team has of accelerators, and its way to more."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from portal.web import gpu
from portal.web.forms.gpu import AskForm, DaysForm, LimitForm
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from tenancy import policy
from tenancy.actions import accelerators as limits
from tenancy.actions import requests as actions
from tenancy.enums import Permission
from tenancy.errors import NotFound
from tenancy.grant_enums import RequestState
from tenancy.queries import accelerators, calendar, grants, previews, tenants, usage
from tenancy.rules.requests import Terms

if TYPE_CHECKING:
    from typing import Any

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.models import GrantRequest, Tenant
    from tenancy.policy import Actor
    from tenancy.queries.grants import WhatIf


@EDITABLE
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """A team's accelerators, grants and requests; a form to ask for more."""
    mine = list(tenants.visible_to(actor))
    if not mine:
        return render(request, "gpu/index.html", {"tenant": None})
    tenant = _tenant(request, mine)
    form = AskForm(
        request.POST or None, classes=accelerators.all_().filter(offered=True), initial=request.GET.dict()
    )
    made = attempt(form, partial(_submit, actor, tenant, form)) if request.method == "POST" else None
    if made is not None:
        messages.success(request, _said(made))
        return redirect("gpu-request", made.uid)
    context = {
        "tenant": tenant,
        "tenants": mine,
        "classes": gpu.classes(actor, tenant),
        "grants": gpu.grant_rows(grants.visible_to(actor, tenant)[: gpu.KEPT_IN_SIGHT]),
        "requests": gpu.request_rows(grants.requests_visible_to(actor, tenant)[: gpu.KEPT_IN_SIGHT]),
        "waiting": grants.to_decide(actor).count(),
        "may_ask": gpu.may_ask(actor, tenant),
        "form": form,
        "limit_form": LimitForm(classes=accelerators.all_()) if _limits(actor) else None,
        **_fit(actor, tenant, form),
    }
    return render(request, "gpu/index.html", context, status=status_of(form))


@require_GET
@page
def fit(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """What would come of asking for what is typed so far."""
    tenant = tenants.get(actor, request.GET.get("tenant", ""))
    form = AskForm(request.GET, classes=accelerators.all_().filter(offered=True))
    form.is_valid()
    return render(request, "gpu/_fit.html", _fit(actor, tenant, form))


@require_GET
@page
def used(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Device-hours by tenant and class: of one tenant where it is named, of all for admins and auditors."""
    name = request.GET.get("tenant", "")
    tenant = tenants.get(actor, name) if name else None
    form = DaysForm(request.GET or None)
    since, until = usage.days(None, None) if form.is_bound and not form.is_valid() else form.days()
    context = {
        "tenant": tenant,
        "hours": usage.report(actor, since, until, tenant),
        "since": since,
        "until": until,
        "form": form,
    }
    return render(request, "gpu/usage.html", context, status=status_of(form))


@require_POST
@page
def limit(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """The most that a tenant may be granted of a class; empty takes the limit away."""
    tenant = tenants.get(actor, request.POST.get("tenant", ""))
    form = LimitForm(request.POST, classes=accelerators.all_())
    if not form.is_valid():
        messages.error(request, "Choose a class, and a number of devices; leave it empty for no limit.")
    else:
        key, amount = form.cleaned_data["key"], form.cleaned_data["amount"]
        limits.set_limit(by=actor, tenant_name=tenant.name, key=key, amount=amount)
        now = "no limit any more" if amount is None else f"a limit of {amount}"
        messages.success(request, f"{tenant.name} has {now} of {key}. What is granted stays.")
    return redirect(f"{reverse('gpu')}?tenant={tenant.name}")


def _tenant(request: HttpRequest, mine: list[Tenant]) -> Tenant:
    """The one that is named, or the first."""
    wanted = request.POST.get("tenant", "") or request.GET.get("tenant", "")
    found = next((t for t in mine if t.name == wanted), None if wanted else mine[0])
    if found is None:
        msg = f"there is no tenant {wanted!r}, or none that you may see"
        raise NotFound(msg)
    return found


def _limits(actor: Actor) -> bool:
    return policy.allows(actor, Permission.GPU_MANAGE)


def _submit(actor: Actor, tenant: Tenant, form: AskForm) -> GrantRequest:
    given = form.cleaned_data
    return actions.submit(
        by=actor,
        tenant_name=tenant.name,
        key=given["key"],
        terms=previews.wished(given["key"], given["amount"], given["since"], given["until"]),
        justification=given["justification"],
    )


def _said(made: GrantRequest) -> str:
    if made.state == RequestState.APPROVED:
        return "Granted at once: clusters of the team can use it now."
    return "The admins are told. What they decide comes to your inbox."


def _fit(actor: Actor, tenant: Tenant, form: AskForm) -> dict[str, Any]:
    """Of what is typed so far, or of the first class where nothing is."""
    given: dict[str, Any] = getattr(form, "cleaned_data", {})
    key = given.get("key") or form.initial.get("key")
    rows = accelerators.all_().filter(offered=True)
    row = (rows.filter(key=key) if key else rows).first()
    if row is None:
        return {"fit": None}
    terms = previews.wished(row.key, given.get("amount") or 1, given.get("since"), given.get("until"))
    if not calendar.today() <= terms.starts_on < terms.ends_on:
        return {"fit": None}
    shown = previews.ask_if(actor, tenant, row, Terms(terms.amount, terms.starts_on, terms.ends_on))
    return {"fit": shown, "accelerator": row, "who": gpu.who_decides(shown), "free": _free(shown)}


def _free(shown: WhatIf) -> int:
    """The most devices of one pool that are free on all of these days."""
    days = shown.terms.starts_on, shown.terms.ends_on
    return max((choice.room.free(*days) for choice in shown.choices), default=0)
