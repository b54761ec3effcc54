"""Host clusters, for platform roles: what they are and what is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal.web.pages import page
from tenancy import policy
from tenancy.enums import Permission
from tenancy.queries import gpu, hosts, services

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.policy import Actor


@require_GET
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Every host with its facts, and whether the machinery behind the portal is alive."""
    policy.check(actor, Permission.HOST_VIEW)
    rows = hosts.visible_to(actor).annotate(carried=Count("clusters"))
    return render(request, "hosts/list.html", {"hosts": rows, "health": services.health()})


@require_GET
@page
def gpu_exposure(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """GPU nodes that let containers out, what cures them, and the tenants that concerns today."""
    policy.check(actor, Permission.HOST_VIEW)
    rows = [gpu.exposure(host) for host in gpu.with_nodes(hosts.visible_to(actor))]
    return render(request, "hosts/gpu.html", {"hosts": rows})
