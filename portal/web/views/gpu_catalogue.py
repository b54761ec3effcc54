"""The catalogue of accelerators: what hosts have, what it is called, and the policy for requests."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.contrib import messages
from django.forms.models import model_to_dict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from portal.web import presenters
from portal.web.forms.gpu import ClassForm
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from tenancy import policy
from tenancy.actions import accelerators as actions
from tenancy.enums import Permission
from tenancy.queries import accelerators, hosts

if TYPE_CHECKING:
    from typing import Any

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.models import AcceleratorClass
    from tenancy.policy import Actor

_FILLED = ("kind", "resource", "labels", "name")
"""Of the form: what a link from a discovered device fills in."""


@EDITABLE
@page
def index(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Classes, stock by pool, and what no class names yet; a form that names or changes one."""
    policy.check(actor, Permission.HOST_VIEW)
    form = ClassForm(request.POST or None, initial=_initial(request))
    made = attempt(form, partial(_put, actor, form)) if request.method == "POST" else None
    if made is not None:
        then = "Teams can ask for it now." if made[1] else "It is as you want it."
        messages.success(request, f"Class {made[0].key}: {then}")
        return redirect("gpu-catalogue")
    seen = [_Seen(host, actor) for host in hosts.visible_to(actor)]
    context = {
        "classes": accelerators.all_(),
        "stock": [(one.host, row) for one in seen for row in one.stock],
        "discovered": [
            (one.host, row, presenters.pairs(row.labels)) for one in seen for row in one.discovered
        ],
        "may_manage": policy.allows(actor, Permission.GPU_MANAGE),
        "form": form,
    }
    return render(request, "gpu/catalogue.html", context, status=status_of(form))


@require_POST
@page
def remove(request: HttpRequest, actor: Actor, name: str) -> HttpResponseBase:
    """The end of a class that nobody ever asked for."""
    actions.delete(by=actor, key=name)
    messages.success(request, f"Class {name} is gone.")
    return redirect("gpu-catalogue")


class _Seen:
    """What one host has."""

    def __init__(self, host: Any, actor: Actor) -> None:  # noqa: ANN401 - a HostCluster
        self.host = host
        self.stock = accelerators.stock(actor, host)
        self.discovered = accelerators.discovered(actor, host)


def _initial(request: HttpRequest) -> dict[str, Any]:
    """Of a class that is to be changed, or of a device that was discovered."""
    row = accelerators.all_().filter(key=request.GET.get("class", "")).first()
    if row is not None:
        return {**model_to_dict(row), "name": row.key, "labels": presenters.pairs(row.labels)}
    return {key: request.GET[key] for key in _FILLED if key in request.GET}


def _put(actor: Actor, form: ClassForm) -> tuple[AcceleratorClass, bool]:
    return actions.put(by=actor, key=form.cleaned_data["name"], wish=form.wish())
