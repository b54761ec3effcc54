"""The page that asks who it is before a decision, and the one that lets the decision go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone

from portal.web import step_up
from portal.web.forms.session import ConfirmForm
from portal.web.pages import page
from portal.web.views.clusters import EDITABLE
from tenancy.errors import Conflict
from tenancy.queries import identities

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from portal.identity.config import Oidc
    from portal.web.step_up import Waiting
    from tenancy.policy import Actor


@EDITABLE
@page
def confirm(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Asks for the password; afterwards what was kept under ``for`` goes on."""
    key = request.POST.get("for") or request.GET.get("for", "")
    waiting = step_up.waiting(request, key)
    if waiting is None:
        raise Conflict("what you wanted to do is not kept any more: go back to its page and do it again")
    if actor.decides:
        return _go_on(request, key, waiting)
    form = ConfirmForm(request, request.POST or None)
    if request.method == "POST" and form.is_valid():
        request.session.cycle_key()
        step_up.note_authentication(request, timezone.now())
        return _go_on(request, key, waiting)
    oidc: Oidc | None = settings.ATOLL_OIDC
    elsewhere = oidc if oidc and identities.is_linked(actor.user, oidc.issuer) else None
    context = {
        "form": form,
        "key": key,
        "oidc": elsewhere,
        "minutes": int(step_up.FRESH.total_seconds() // 60),
    }
    return render(request, "step_up/confirm.html", context, status=422 if form.errors else 200)


def _go_on(request: HttpRequest, key: str, waiting: Waiting) -> HttpResponseBase:
    step_up.forget(request, key)
    if not waiting.body:
        return HttpResponseRedirect(waiting.path)
    return render(request, "step_up/go_on.html", {"waiting": waiting})
