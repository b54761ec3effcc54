"""People, for admins."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render

from portal.web.forms.people import UserForm
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from tenancy.actions import users as actions
from tenancy.enums import PlatformRole
from tenancy.queries import users

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.models import User
    from tenancy.policy import Actor


@EDITABLE
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Everybody, and a form for one more."""
    everybody = users.visible_to(actor).prefetch_related("memberships__tenant")
    form = UserForm(request.POST or None)
    made = attempt(form, partial(_create, actor, form)) if request.method == "POST" else None
    if made is not None:
        messages.success(request, f"{made.username} can sign in now. Make them a member on a tenant's page.")
        return redirect("users")
    return render(request, "users/list.html", {"users": everybody, "form": form}, status=status_of(form))


def _create(actor: Actor, form: UserForm) -> User:
    given = form.cleaned_data
    role = PlatformRole(given["platform_role"])
    return actions.create(
        by=actor, username=given["username"], password=given["password"], platform_role=role
    )
