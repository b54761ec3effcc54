"""Webhooks of a tenant, and (without one) of the platform: made, tested, rotated; what was sent, and once more."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from portal.web.forms.webhooks import NewWebhookForm, WebhookForm
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from tenancy import policy
from tenancy.actions import webhooks as actions
from tenancy.enums import Permission
from tenancy.errors import AlreadyExists
from tenancy.queries import tenants, webhooks

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.models import Webhook
    from tenancy.policy import Actor

SHOWN: Final = 50
"""Deliveries on a page; the API lists the others."""


@EDITABLE
@page
def index(request: HttpRequest, actor: Actor, tenant: str | None = None) -> HttpResponseBase:
    """The webhooks and a form for a new one, whose secret is in this answer and nowhere else."""
    rows = webhooks.visible_to(actor, tenant)
    form = NewWebhookForm(request.POST or None)
    made = attempt(form, partial(_create, actor, tenant, form)) if request.method == "POST" else None
    context = {
        "hooks": rows.all(),
        "form": NewWebhookForm() if made else form,
        "made": made,
        **_about(actor, tenant),
    }
    return render(request, "webhooks/list.html", context, status=201 if made else status_of(form))


@EDITABLE
@page
def show(request: HttpRequest, actor: Actor, name: str, tenant: str | None = None) -> HttpResponseBase:
    """One of them, and what it was sent."""
    hook = webhooks.get(actor, tenant, name)
    form = WebhookForm(
        request.POST or None, initial={"url": hook.url, "types": hook.types, "enabled": hook.enabled}
    )
    saved = attempt(form, partial(_put, actor, tenant, name, form)) if request.method == "POST" else None
    if saved is not None:
        messages.success(request, f"Webhook {name} is saved.")
        return redirect(_address(tenant, name))
    return _shown(request, actor, hook, form)


@require_POST
@page
def act(
    request: HttpRequest, actor: Actor, name: str, verb: str, tenant: str | None = None
) -> HttpResponseBase:
    """Tests it, gives it a new secret, or ends it."""
    match verb:
        case "ping":
            actions.ping(by=actor, tenant_name=tenant, name=name)
            messages.success(request, "A test is on its way: look below in a moment.")
        case "rotate":
            hook, secret = actions.rotate(by=actor, tenant_name=tenant, name=name)
            initial = {"url": hook.url, "types": hook.types, "enabled": hook.enabled}
            return _shown(request, actor, hook, WebhookForm(initial=initial), secret)
        case "delete":
            actions.delete(by=actor, tenant_name=tenant, name=name)
            messages.success(request, f"Webhook {name} is deleted: nothing is sent to it any more.")
            return redirect(_address(tenant))
        case _:
            raise Http404
    return redirect(_address(tenant, name))


@require_POST
@page
def redeliver(
    request: HttpRequest, actor: Actor, name: str, uid: UUID, tenant: str | None = None
) -> HttpResponseBase:
    """Sends a message once more."""
    found = actions.redeliver(by=actor, tenant_name=tenant, name=name, uid=uid)
    messages.success(request, f"{found.message} is on its way again.")
    return redirect(_address(tenant, name))


def _create(actor: Actor, tenant: str | None, form: NewWebhookForm) -> tuple[Webhook, str]:
    name = form.cleaned_data["name"]
    if webhooks.visible_to(actor, tenant).filter(name=name).exists():
        msg = f"there is a webhook {name!r} already: choose another name, or change that one"
        raise AlreadyExists(msg)
    return _put(actor, tenant, name, form)


def _put(actor: Actor, tenant: str | None, name: str, form: WebhookForm) -> tuple[Webhook, str]:
    wish = form.wish()
    if webhooks.manages(actor, tenant):
        webhooks.vet(wish.url)
    return actions.put(by=actor, tenant_name=tenant, name=name, wish=wish)


def _shown(
    request: HttpRequest, actor: Actor, hook: Webhook, form: WebhookForm, secret: str = ""
) -> HttpResponseBase:
    tenant = hook.tenant.name if hook.tenant else None
    context = {
        "hook": hook,
        "deliveries": webhooks.deliveries(actor, tenant, hook.name)[:SHOWN],
        "form": form,
        "secret": secret,
        **_about(actor, tenant),
    }
    return render(request, "webhooks/show.html", context, status=status_of(form))


def _about(actor: Actor, tenant: str | None) -> dict[str, object]:
    found = tenants.get(actor, tenant) if tenant is not None else None
    return {
        "tenant": found,
        "address": _address(tenant),
        "may_manage": policy.allows(actor, Permission.WEBHOOK_MANAGE, found),
    }


def _address(tenant: str | None, name: str | None = None) -> str:
    base = reverse("platform-webhooks") if tenant is None else reverse("tenant-webhooks", args=[tenant])
    return f"{base}/{name}" if name else base
