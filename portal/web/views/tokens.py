"""API tokens: made, shown once, revoked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from portal.web.forms.tokens import TokenForm
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from tenancy.actions import tokens as actions
from tenancy.queries import tenants, tokens

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.models import ApiToken
    from tenancy.policy import Actor


@EDITABLE
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """The actor's tokens and a form for a new one, whose text is in this answer and nowhere else."""
    mine = tenants.visible_to(actor)
    form = TokenForm(request.POST or None, tenants=mine)
    made = attempt(form, partial(_create, actor, form)) if request.method == "POST" else None
    context = {
        "tokens": tokens.visible_to(actor),
        "made": made,
        "form": TokenForm(tenants=mine) if made else form,
        "now": timezone.now(),
        "public_url": settings.PUBLIC_URL,
    }
    return render(request, "tokens/list.html", context, status=201 if made else status_of(form))


@require_POST
@page
def revoke(request: HttpRequest, actor: Actor, uid: UUID) -> HttpResponseBase:
    """Ends a token at once."""
    actions.revoke(by=actor, uid=uid)
    messages.success(request, "The token is revoked: the next request with it is refused.")
    return redirect("tokens")


def _create(actor: Actor, form: TokenForm) -> tuple[ApiToken, str]:
    given = form.cleaned_data
    return actions.create(
        by=actor,
        name=given["name"],
        tenant=given["tenant"] or None,
        read_only=given["read_only"],
        expires_at=form.expires_at(timezone.now()),
    )
