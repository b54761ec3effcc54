"""Cluster templates: what there is, what a version brings and would change, and publishing one."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import yaml
from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from portal.web import template_page
from portal.web.forms.cluster_templates import NewTemplateForm, TemplateForm, VersionForm
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from tenancy import policy
from tenancy.actions import templates as actions
from tenancy.enums import Permission
from tenancy.errors import AlreadyExists
from tenancy.queries import add_ons, impact, templates
from tenancy.rules.versions import Version
from tenancy.template_enums import VersionState

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.actions.templates import Plan
    from tenancy.models import ClusterTemplate, TemplateVersion
    from tenancy.policy import Actor

FIRST = """\
cluster:
  kubernetesVersion: "1.36"
  resources: {cpu: {$param: cores}, memory: 8Gi}
parameters:
  type: object
  properties:
    cores: {type: string, enum: ["2", "4"], default: "2", title: Cores}
locked: [isolation]
notes: ""
"""
"""What a form for a template's first version begins with."""


@EDITABLE
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Those that the actor's teams may use or do use, and a form for a new one."""
    form = NewTemplateForm(request.POST or None)
    made = attempt(form, partial(_create, actor, form)) if request.method == "POST" else None
    if made is not None:
        messages.success(request, f"Template {made.name} is made. Publish its first version now.")
        return redirect("template-publish", made.name)
    context = {"found": templates.visible_to(actor), "form": form, "may_manage": _manages(actor)}
    return render(request, "cluster_templates/list.html", context, status=status_of(form))


@EDITABLE
@page
def show(request: HttpRequest, actor: Actor, name: str) -> HttpResponseBase:
    """Its versions, and the clusters that stand on it."""
    row = templates.get(actor, name)
    form = TemplateForm(request.POST or None, initial=_initial(row))
    saved = attempt(form, partial(_put, actor, name, form)) if request.method == "POST" else None
    if saved is not None:
        messages.success(request, f"Template {name} is saved.")
        return redirect("template", name)
    context = {
        "row": row,
        "versions": [(one, template_page.state(one), template_page.notes(one)) for one in row.versions.all()],
        "followers": template_page.followers(actor, row),
        "most": impact.PREVIEWED,
        "form": form,
        "may_manage": _manages(actor),
    }
    return render(request, "cluster_templates/show.html", context, status=status_of(form))


@require_POST
@page
def remove(request: HttpRequest, actor: Actor, name: str) -> HttpResponseBase:
    """The end of a template that no cluster stands on."""
    templates.get(actor, name)  # what they may not see is not there for them
    actions.delete(by=actor, name=name)
    messages.success(request, f"Template {name} is gone, with all its versions.")
    return redirect("templates")


@EDITABLE
@page
def version(request: HttpRequest, actor: Actor, name: str, version: str) -> HttpResponseBase:
    """What a version brings, and means for each cluster; admins change its state."""
    row = templates.get_version(actor, name, version)
    if request.method == "POST":
        text = json.dumps(
            {**json.loads(row.spec_text), "state": request.POST.get("state")}, ensure_ascii=False
        )
        found = actions.publish(by=actor, name=name, version=version, text=text)[0]
        messages.success(request, f"{found} is {found.state} now.")
        return redirect("template-version", name, version)
    context = {
        "row": row,
        "state": template_page.state(row),
        "states": [state.value for state in VersionState if state != row.state],
        "notes": template_page.notes(row),
        "lines": template_page.lines(row),
        "parameters": template_page.parameters(row),
        "effects": template_page.effects(impact.users_of(actor, row.template)[: impact.PREVIEWED], row),
        "most": impact.PREVIEWED,
        "may_manage": _manages(actor),
    }
    return render(request, "cluster_templates/version.html", context)


@EDITABLE
@page
def publish(request: HttpRequest, actor: Actor, name: str) -> HttpResponseBase:
    """A new version as text: first what it would change, then for ever."""
    row = templates.get(actor, name)
    policy.check_look(actor, Permission.TEMPLATE_MANAGE)
    form = VersionForm(request.POST or None, initial=_next(row))
    planned = attempt(form, partial(_plan, actor, name, form)) if "preview" in request.POST else None
    if request.method == "POST" and "preview" not in request.POST:
        made = attempt(form, partial(_publish, actor, name, form))
        if made is not None:
            messages.success(request, f"{made} is published. Clusters whose range it is in go on to it now.")
            return redirect("template-version", name, made.name)
    context = {
        "row": row,
        "form": form,
        "plan": planned,
        "effects": template_page.effects(planned.clusters, planned.version) if planned else (),
        "most": impact.PREVIEWED,
        "add_ons": add_ons.offered(),
    }
    return render(request, "cluster_templates/publish.html", context, status=status_of(form))


def _manages(actor: Actor) -> bool:
    return policy.allows(actor, Permission.TEMPLATE_MANAGE)


def _create(actor: Actor, form: NewTemplateForm) -> ClusterTemplate:
    name = form.cleaned_data["name"]
    if templates.visible_to(actor).filter(name=name).exists():
        msg = f"there is a template {name!r} already: choose another name, or change that one"
        raise AlreadyExists(msg)
    return _put(actor, name, form)


def _put(actor: Actor, name: str, form: TemplateForm) -> ClusterTemplate:
    return actions.put(by=actor, name=name, wish=form.wish())[0]


def _plan(actor: Actor, name: str, form: VersionForm) -> Plan:
    given = form.cleaned_data
    return actions.plan(by=actor, name=name, version=given["version"], text=given["text"])


def _publish(actor: Actor, name: str, form: VersionForm) -> TemplateVersion:
    given = form.cleaned_data
    return actions.publish(by=actor, name=name, version=given["version"], text=given["text"])[0]


def _initial(row: ClusterTemplate) -> dict[str, Any]:
    return {
        "description": row.description,
        "tenants": ", ".join(row.named or ()),
        "deprecated": row.deprecated,
    }


def _next(row: ClusterTemplate) -> dict[str, str]:
    """The newest version with the number after it, to be changed."""
    newest = max(row.versions.all(), key=templates.number, default=None)
    if newest is None:
        return {"version": "1.0.0", "text": FIRST}
    content = {
        key: value for key, value in json.loads(newest.spec_text).items() if key not in {"state", "notes"}
    }
    text = yaml.safe_dump({**content, "notes": ""}, sort_keys=False, allow_unicode=True)
    return {"version": str(Version(newest.major, newest.minor + 1, 0)), "text": text}
