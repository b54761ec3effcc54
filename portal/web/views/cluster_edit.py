"""A cluster's spec, changed: the form, and what it would come to before it is sent."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from portal.web.forms.edit import EditForm, typed
from portal.web.forms.template_fields import choice
from portal.web.pages import attempt, page, status_of
from tenancy import policy
from tenancy.actions import clusters as actions
from tenancy.enums import Permission
from tenancy.errors import DomainError
from tenancy.queries import accelerators, add_ons, clusters, offers

if TYPE_CHECKING:
    from django.http import HttpRequest, QueryDict
    from django.http.response import HttpResponseBase

    from tenancy.models import VirtualCluster
    from tenancy.policy import Actor


@require_http_methods(["GET", "HEAD", "POST"])
@page
def edit(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """The form with the spec as it is; a good one changes it and goes back to the cluster's page."""
    cluster = _writable(actor, tenant, name)
    form = _form(cluster, request.POST or None, request.POST or request.GET)
    if request.method == "POST" and attempt(form, partial(_put, actor, form)) is not None:
        return redirect("cluster", tenant, name)
    return render(request, "clusters/edit.html", {"form": form, "cluster": cluster}, status=status_of(form))


@require_GET
@page
def plan(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """What the form as it is typed would change."""
    form = _form(_writable(actor, tenant, name), request.GET, request.GET)
    shown: dict[str, Any] = {"plan": None, "fault": ""}
    if form.is_valid():
        try:
            shown["plan"] = actions.plan(
                by=actor, tenant_name=tenant, name=name, spec_text=form.spec_text(), expect=form.expectation
            )
        except DomainError as error:
            shown["fault"] = error.detail
    return render(request, "clusters/_plan.html", shown)


def _writable(actor: Actor, tenant: str, name: str) -> VirtualCluster:
    cluster = clusters.get(actor, tenant, name)
    policy.check(actor, Permission.CLUSTER_WRITE, cluster.tenant)
    return cluster


def _form(cluster: VirtualCluster, data: QueryDict | None, given: QueryDict) -> EditForm:
    """Bound to ``data``; ``given`` may name another template, whose own values are then shown."""
    was = typed(cluster)
    name = given.get("template", was["template"])
    fresh = name != given.get("template_was", was["template"])
    row = cluster.template_version
    asked = was["template_version"] if name == was["template"] else ""
    version = asked if fresh else given.get("template_version", asked)
    kept = [was["template_version"]] if row else []
    chosen = choice(cluster.tenant, name, version, row.template if row else None, kept)
    initial = {**was, **({} if fresh else given.dict()), "template": name, "template_version": chosen.version}
    return EditForm(
        data,
        cluster=cluster,
        here=offers.of_host(cluster.tenant, cluster.host),
        classes=list(accelerators.all_().filter(offered=True).values_list("key", flat=True)),
        choice=chosen,
        add_ons=add_ons.offered(),
        initial=initial,
    )


def _put(actor: Actor, form: EditForm) -> actions.PutResult:
    return actions.put(
        by=actor,
        tenant_name=form.cluster.tenant.name,
        name=form.cluster.name,
        spec_text=form.spec_text(),
        expect=form.expectation,
    )
