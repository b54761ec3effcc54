"""The audit log: of a tenant for its owners, of everything for platform roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from portal.streaming import bundle as streamed
from portal.web.pages import page
from tenancy import policy
from tenancy.enums import Permission
from tenancy.queries import audit, bundle, tenants

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.models import AuditEvent
    from tenancy.policy import Actor

SHOWN: Final = 50
"""Rows of a page."""
FILTERS: Final = ("actor", "action", "target", "tenant")
_LONGEST: Final = 200


@require_GET
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Everything, with the state of the chain."""
    rows = audit.visible_to(actor)
    return _listed(request, rows, FILTERS, {"head": audit.head(), "address": reverse("audit")})


@require_GET
@page
def of_tenant(request: HttpRequest, actor: Actor, tenant: str) -> HttpResponseBase:
    """What was done in a tenant."""
    found = tenants.get(actor, tenant)
    rows = audit.visible_to(actor, found)
    more = {"tenant": found, "address": reverse("tenant-audit", args=[found.name])}
    return _listed(request, rows, FILTERS[:3], more)


@require_GET
@page
def export(_: HttpRequest, actor: Actor) -> HttpResponseBase:
    """All of it as a file, to be verified elsewhere."""
    policy.check(actor, Permission.AUDIT_VIEW)
    return streamed(bundle.lines(), "atoll-audit.ndjson")


def _listed(
    request: HttpRequest, rows: QuerySet[AuditEvent], offered: tuple[str, ...], more: dict[str, Any]
) -> HttpResponseBase:
    """The newest rows that fit, and the way to older ones."""
    asked = {name: _text(request, name) for name in offered}
    exact = {name: text for name, text in asked.items() if text}
    before = _text(request, "before")
    rows = rows.filter(**exact)
    if before.isascii() and before.isdigit():
        rows = rows.filter(sequence__lt=min(int(before), 2**63 - 1))
    found = list(rows[: SHOWN + 1])
    older = urlencode({**exact, "before": found[SHOWN - 1].sequence}) if len(found) > SHOWN else ""
    context = {"events": found[:SHOWN], "asked": asked, "filtered": bool(exact or before), "older": older}
    return render(request, "audit/list.html", {**context, **more})


def _text(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\0", "").strip()[:_LONGEST]
