"""The inbox: what somebody is to know."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - Django's converters

from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from portal.web.pages import page
from tenancy.actions import notices as actions
from tenancy.queries import notices

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.policy import Actor

SHOWN = 100
"""The newest; the rest is in the API."""


@require_GET
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """One's own notices, newest first."""
    rows = notices.visible_to(actor)[:SHOWN]
    return render(request, "notices/list.html", {"notices": rows, "unread": notices.unread(actor)})


@require_POST
@page
def read(request: HttpRequest, actor: Actor) -> HttpResponseBase:  # noqa: ARG001 - Django's signature
    """Marks all of them as read."""
    actions.mark_read(by=actor)
    return redirect("inbox")


@require_POST
@page
def follow(request: HttpRequest, actor: Actor, uid: UUID) -> HttpResponseBase:  # noqa: ARG001 - Django's signature
    """Marks one as read and goes to what it tells of."""
    found = notices.get(actor, uid)
    actions.mark_read(by=actor, uids=[uid])
    return redirect(found.link or "inbox")
