"""What was found amiss on hosts, for platform roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal.web.pages import page
from tenancy.queries import findings

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.policy import Actor

SHOWN = 100
"""The newest; the rest is in the API."""


@require_GET
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Every finding, newest first, and how many are open."""
    rows = findings.visible_to(actor)
    count = rows.filter(restored_at__isnull=True).count()
    return render(request, "findings/list.html", {"findings": rows[:SHOWN], "open": count})
