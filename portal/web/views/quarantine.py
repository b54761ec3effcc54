"""Quarantine: an admin takes a cluster out of use, and gives it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from portal.web.pages import page
from tenancy.actions import quarantine

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.policy import Actor


@require_POST
@page
def begin(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """Stops everything in it."""
    quarantine.begin(by=actor, tenant_name=tenant, name=name, reason=request.POST.get("reason", ""))
    messages.success(
        request, f"{name} is being stopped. Its conditions tell when nothing of it runs any more."
    )
    return redirect("cluster", tenant, name)


@require_POST
@page
def lift(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """Lets it come back."""
    quarantine.lift(by=actor, tenant_name=tenant, name=name)
    messages.success(request, f"{name} comes back. Everybody needs a new kubeconfig once it is Ready.")
    return redirect("cluster", tenant, name)
