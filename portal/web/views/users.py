"""People, for admins."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from portal.web.forms.identities import IdentityForm
from portal.web.forms.people import UserForm
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from tenancy import policy
from tenancy.actions import identities as identity_actions
from tenancy.actions import users as actions
from tenancy.enums import Permission, PlatformRole
from tenancy.queries import identities, users

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.models import User
    from tenancy.policy import Actor


@EDITABLE
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Everybody, and a form for one more."""
    policy.check_look(actor, Permission.IDENTITY_MANAGE)
    form = UserForm(request.POST or None)
    made = attempt(form, partial(_create, actor, form)) if request.method == "POST" else None
    if made is not None:
        messages.success(request, f"{made.username} can sign in now. Make them a member on a tenant's page.")
        return redirect("users")
    return _shown(request, actor, form)


@require_POST
@page
def link(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Says who somebody is at an OpenID provider."""
    form = IdentityForm(request.POST)
    made = attempt(form, lambda: identity_actions.link(by=actor, **form.cleaned_data))
    if made is None:
        return _shown(request, actor, UserForm(), form)
    messages.success(request, f"{made.user.username} can sign in there now.")
    return redirect("users")


@require_POST
@page
def unlink(request: HttpRequest, actor: Actor, uid: UUID) -> HttpResponseBase:
    """Ends that."""
    identity_actions.unlink(by=actor, uid=uid)
    messages.success(request, "Unlinked: that sign-in opens the account no more.")
    return redirect("users")


@require_POST
@page
def suspend(request: HttpRequest, actor: Actor, username: str) -> HttpResponseBase:
    """Shuts somebody out at once."""
    actions.suspend(by=actor, username=username)
    messages.success(request, f"{username} is suspended: their sessions and tokens are refused from now on.")
    return redirect("users")


@require_POST
@page
def resume(request: HttpRequest, actor: Actor, username: str) -> HttpResponseBase:
    """Lets them in again."""
    actions.resume(by=actor, username=username)
    messages.success(request, f"{username} may sign in again, and their tokens are good again.")
    return redirect("users")


def _shown(
    request: HttpRequest, actor: Actor, form: UserForm, link_form: IdentityForm | None = None
) -> HttpResponseBase:
    everybody = users.visible_to(actor).prefetch_related("memberships__tenant")
    known, oidc = identities.visible_to(actor), settings.ATOLL_OIDC
    context: dict[str, object] = {"users": everybody, "form": form}
    if oidc or known:
        issuer = oidc.issuer if oidc else ""
        context |= {"identities": known, "link": link_form or IdentityForm(initial={"issuer": issuer})}
    return render(request, "users/list.html", context, status=status_of(link_form or form))


def _create(actor: Actor, form: UserForm) -> User:
    given = form.cleaned_data
    role = PlatformRole(given["platform_role"])
    return actions.create(
        by=actor, username=given["username"], password=given["password"], platform_role=role
    )
