"""API tokens: made, shown once, rotated, revoked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from portal.web.forms.tokens import TokenForm
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from tenancy import policy
from tenancy.actions import tokens as actions
from tenancy.queries import tenants, tokens

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse, QueryDict
    from django.http.response import HttpResponseBase

    from tenancy.models import ApiToken, ServiceAccount
    from tenancy.policy import Actor


@EDITABLE
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """The actor's tokens and a form for a new one, whose text is in this answer and nowhere else."""
    form = _form(actor, request.POST or None)
    made = attempt(form, partial(create, actor, form)) if request.method == "POST" else None
    return _shown(request, actor, form, made)


@require_POST
@page
def rotate(request: HttpRequest, actor: Actor, uid: UUID) -> HttpResponseBase:
    """A new text in place of a token's, in this answer and nowhere else; the old one is good for an hour."""
    made = actions.rotate(by=actor, uid=uid)
    return _shown(request, actor, _form(actor), made)


@require_POST
@page
def revoke(request: HttpRequest, actor: Actor, uid: UUID) -> HttpResponseBase:
    """Ends a token at once."""
    actions.revoke(by=actor, uid=uid)
    messages.success(request, REVOKED)
    return redirect("tokens")


REVOKED = "The token is revoked: the next request with it is refused."


def create(actor: Actor, form: TokenForm, account: ServiceAccount | None = None) -> tuple[ApiToken, str]:
    """The token that a form asks for."""
    return actions.create(by=actor, account=account, **form.wish, expires_at=form.expires_at(timezone.now()))


def shared(form: TokenForm, made: tuple[ApiToken, str] | None) -> dict[str, Any]:
    """What every page with tokens shows beside them."""
    return {"made": made, "form": form, "now": timezone.now(), "public_url": settings.PUBLIC_URL}


def _form(actor: Actor, data: QueryDict | None = None) -> TokenForm:
    return TokenForm(data, tenants=tenants.visible_to(actor), may_decide=policy.may_decide(actor))


def _shown(
    request: HttpRequest, actor: Actor, form: TokenForm, made: tuple[ApiToken, str] | None
) -> HttpResponse:
    form = _form(actor) if made else form
    context = {"tokens": tokens.visible_to(actor), **shared(form, made)}
    return render(request, "tokens/list.html", context, status=201 if made else status_of(form))
