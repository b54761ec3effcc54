"""Isolation reports: ask for one, download one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from portal.web.pages import page
from tenancy.actions import reports as actions
from tenancy.queries import clusters, reports

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.policy import Actor


@require_POST
@page
def ask(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """Asks for a report; the page shows it when it is made."""
    actions.request(by=actor, tenant_name=tenant, name=name)
    messages.success(request, "The isolation report is being made. It shows up on this page within seconds.")
    return redirect("cluster", tenant, name)


@require_GET
@page
def download(request: HttpRequest, actor: Actor, tenant: str, name: str, uid: UUID) -> HttpResponseBase:  # noqa: ARG001
    """The signed report as a file."""
    row = reports.get(clusters.get(actor, tenant, name), uid)
    response = HttpResponse(row.envelope + "\n", content_type="application/jose")
    response["Content-Disposition"] = f'attachment; filename="{tenant}-{name}-{uid.hex[:8]}.jws"'
    return response
