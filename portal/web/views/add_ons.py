"""The catalogue of add-ons: what there is, what a version brings, and publishing one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from portal.web import add_on_page
from portal.web.forms.add_ons import AddOnForm
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from tenancy import policy
from tenancy.actions import add_ons as actions
from tenancy.enums import Permission
from tenancy.errors import NotFound
from tenancy.queries import add_ons
from tenancy.rules.versions import Version

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.models import AddOnVersion
    from tenancy.policy import Actor


@require_GET
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """All add-ons with their versions."""
    found = [(rows[0], add_on_page.description(rows[0]), rows) for rows in add_on_page.groups()]
    return render(request, "add_ons/list.html", {"found": found, "may_manage": _manages(actor)})


@require_GET
@page
def version(request: HttpRequest, actor: Actor, name: str, version: str) -> HttpResponseBase:
    """What a version brings, and the clusters that have it."""
    row = _get(name, version)
    context = {
        "row": row,
        "description": add_on_page.description(row),
        "objects": add_on_page.brought(row),
        "manifests": add_on_page.manifests(row),
        "versions": list(add_ons.all_().filter(name=name)),
        "followers": add_on_page.followers(actor, row),
        "most": add_on_page.MOST,
        "may_manage": _manages(actor),
    }
    return render(request, "add_ons/version.html", context)


@require_POST
@page
def remove(request: HttpRequest, actor: Actor, name: str, version: str) -> HttpResponseBase:
    """The end of a version that no cluster and no template names."""
    actions.delete(by=actor, name=name, version=version)
    messages.success(request, f"Add-on {name} {version} is gone.")
    return redirect("add-ons")


@EDITABLE
@page
def publish(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """A new version as text: first what it brings, then for ever."""
    policy.check_look(actor, Permission.TEMPLATE_MANAGE)
    form = AddOnForm(request.POST or None, initial=_next(request.GET.get("name", "")))
    planned = attempt(form, partial(_plan, actor, form)) if "preview" in request.POST else None
    if request.method == "POST" and "preview" not in request.POST:
        made = attempt(form, partial(_publish, actor, form))
        if made is not None:
            messages.success(request, f"Add-on {made} is published. Templates and clusters can name it now.")
            return redirect("add-on", made.name, made.version)
    context: dict[str, Any] = {"form": form, "plan": planned}
    if planned is not None:
        before = add_ons.all_().filter(name=form.cleaned_data["name"]).first()
        text = add_on_page.manifests(before) if before else ""
        context |= {"before": before, "objects": add_on_page.compared(form.cleaned_data["manifests"], text)}
    return render(request, "add_ons/publish.html", context, status=status_of(form))


def _get(name: str, version: str) -> AddOnVersion:
    row = add_ons.of(name, version).first()
    if row is None:
        raise NotFound(actions.missing(name, version))
    return row


def _manages(actor: Actor) -> bool:
    return policy.allows(actor, Permission.TEMPLATE_MANAGE)


def _plan(actor: Actor, form: AddOnForm) -> str:
    given = form.cleaned_data
    return actions.plan(by=actor, name=given["name"], version=given["version"], text=form.spec_text())


def _publish(actor: Actor, form: AddOnForm) -> AddOnVersion:
    given = form.cleaned_data
    return actions.publish(by=actor, name=given["name"], version=given["version"], text=form.spec_text())[0]


def _next(name: str) -> dict[str, str]:
    """The newest version with the number after it, to be changed."""
    newest = add_ons.all_().filter(name=name).first()
    if newest is None:
        return {"name": name, "version": "1.0.0"}
    return {
        "name": name,
        "version": str(Version(newest.major, newest.minor + 1, 0)),
        "description": add_on_page.description(newest),
        "manifests": add_on_page.manifests(newest),
    }
