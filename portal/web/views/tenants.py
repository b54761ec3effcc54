"""Tenants and their members."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.contrib import messages
from django.db.models import Count
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from portal.web.forms.people import MemberForm, TenantForm
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from tenancy import policy
from tenancy.actions import members as member_actions
from tenancy.actions import tenants as tenant_actions
from tenancy.enums import Permission, Role, Trust
from tenancy.queries import clusters, tenants

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from tenancy.models import Membership, Tenant
    from tenancy.policy import Actor


@require_GET
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """The actor's tenants, or all of them for a platform role."""
    counted = {"members": Count("memberships", distinct=True), "owned": Count("clusters", distinct=True)}
    # A subquery: the membership that makes a tenant visible must not narrow the count of members.
    rows = (
        tenants.visible_to(actor).model.objects.filter(pk__in=tenants.visible_to(actor)).annotate(**counted)
    )
    may_create = policy.allows(actor, Permission.TENANT_MANAGE)
    return render(request, "tenants/list.html", {"tenants": rows, "may_create": may_create})


@EDITABLE
@page
def create(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """A new tenant, for admins."""
    policy.check_look(actor, Permission.TENANT_MANAGE)
    form = TenantForm(request.POST or None)
    made = attempt(form, partial(_create, actor, form)) if request.method == "POST" else None
    if made is not None:
        messages.success(request, f"Tenant {made.name} is made. Add its first owner now.")
        return redirect("tenant", made.name)
    return render(request, "tenants/new.html", {"form": form}, status=status_of(form))


@require_GET
@page
def show(request: HttpRequest, actor: Actor, tenant: str) -> HttpResponseBase:
    """A tenant's members and clusters."""
    return _shown(request, actor, tenants.get(actor, tenant), MemberForm())


@require_POST
@page
def put_member(request: HttpRequest, actor: Actor, tenant: str) -> HttpResponseBase:
    """Adds somebody, or changes their role."""
    found = tenants.get(actor, tenant)
    policy.check(actor, Permission.MEMBER_MANAGE, found)
    form = MemberForm(request.POST)
    done = attempt(form, partial(_put, actor, tenant, form))
    if done is None:
        return _shown(request, actor, found, form)
    messages.success(request, f"{done[0].user.username} is now {done[0].role} of {tenant}.")
    return redirect("tenant", tenant)


@require_POST
@page
def remove_member(request: HttpRequest, actor: Actor, tenant: str) -> HttpResponseBase:
    """Ends a membership."""
    username = request.POST.get("username", "")
    member_actions.remove(by=actor, tenant=tenant, username=username)
    messages.success(request, f"{username} is no longer a member of {tenant}.")
    return redirect(
        "home" if username == actor.name else "tenant", *([] if username == actor.name else [tenant])
    )


def _shown(request: HttpRequest, actor: Actor, tenant: Tenant, form: MemberForm) -> HttpResponse:
    may_create = policy.allows(actor, Permission.CLUSTER_WRITE, tenant)
    context = {
        "tenant": tenant,
        "members": tenants.members(actor, tenant),
        "clusters": clusters.visible_to(actor, tenant),
        "may_manage": policy.allows(actor, Permission.MEMBER_MANAGE, tenant),
        "may_create": may_create,
        "writable": {tenant.name} if may_create else set(),
        "may_account": policy.allows(actor, Permission.SERVICE_ACCOUNT_MANAGE, tenant),
        "may_audit": policy.allows(actor, Permission.AUDIT_VIEW, tenant),
        "form": form,
    }
    return render(request, "tenants/show.html", context, status=status_of(form))


def _create(actor: Actor, form: TenantForm) -> Tenant:
    given = form.cleaned_data
    return tenant_actions.create(
        by=actor, name=given["name"], display_name=given["display_name"], trust=Trust(given["trust"])
    )


def _put(actor: Actor, tenant: str, form: MemberForm) -> tuple[Membership, bool]:
    given = form.cleaned_data
    return member_actions.put(by=actor, tenant=tenant, username=given["username"], role=Role(given["role"]))
