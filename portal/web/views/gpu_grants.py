"""One grant: where it is in its life, more days of it, its early return and its receipt."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - Django's converters

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from portal.web import gpu
from portal.web.forms.gpu import ExtendForm
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from tenancy.actions import grants as actions
from tenancy.actions import requests
from tenancy.errors import Conflict
from tenancy.queries import calendar, grants, usage

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.models import GrantRequest
    from tenancy.policy import Actor


@EDITABLE
@page
def show(request: HttpRequest, actor: Actor, uid: UUID) -> HttpResponseBase:
    """The grant's page; its form asks for more days."""
    grant = grants.get(actor, uid)
    form = ExtendForm(request.POST or None)
    made = attempt(form, partial(_extend, actor, uid, form)) if request.method == "POST" else None
    if made is not None:
        messages.success(request, "The admins are told. What they decide comes to your inbox.")
        return redirect("gpu-request", made.uid)
    context = {
        "row": gpu.grant_row(grant),
        "grant": grant,
        "may_ask": gpu.may_ask(actor, grant.tenant) and grant.ended_at is None,
        "lately": usage.efficiency(grant.tenant, grant.accelerator, calendar.today()),
        "form": form,
    }
    return render(request, "gpu/grant.html", context, status=status_of(form))


@require_POST
@page
def give_back(request: HttpRequest, actor: Actor, uid: UUID) -> HttpResponseBase:
    """The early end."""
    actions.return_early(by=actor, uid=uid, reason=request.POST.get("reason", ""))
    messages.success(
        request, "It goes back now. The receipt is here once the host was seen to have its devices."
    )
    return redirect("gpu-grant", uid)


@require_GET
@page
def receipt(request: HttpRequest, actor: Actor, uid: UUID) -> HttpResponseBase:  # noqa: ARG001 - Django's signature
    """The signed receipt as a file."""
    row = grants.get(actor, uid)
    if not row.receipt:
        msg = "its devices are not back yet: the receipt is made when the host was seen to have them"
        raise Conflict(msg)
    name = f"{row.tenant.name}-{row.accelerator.key}-{row.uid.hex[:8]}.jws"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(row.receipt + "\n", content_type="application/jose", headers=headers)


def _extend(actor: Actor, uid: UUID, form: ExtendForm) -> GrantRequest:
    given = form.cleaned_data
    return requests.extend(
        by=actor, grant_uid=uid, ends_on=given["until"], justification=given["justification"]
    )
