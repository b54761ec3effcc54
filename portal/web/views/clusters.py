"""Clusters: list, ask for one, watch it, let it try again, delete it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.web import cluster_page, presenters
from portal.web.forms.clusters import SIZES, ClusterForm, DeleteForm, Offer
from portal.web.forms.template_fields import choice
from portal.web.pages import STOP_POLLING, attempt, page, status_of
from tenancy import policy
from tenancy.actions import clusters as actions
from tenancy.enums import Permission, Phase
from tenancy.errors import DomainError, NotAllowed, NotFound
from tenancy.queries import accelerators, add_ons, clusters, hosts, offers, pools, tenants
from tenancy.rules.preconditions import Expectation

if TYPE_CHECKING:
    from typing import Any

    from django.http import HttpRequest, QueryDict
    from django.http.response import HttpResponseBase

    from tenancy.actions.foresight import DevicePlan
    from tenancy.models import Tenant
    from tenancy.policy import Actor

EDITABLE = require_http_methods(["GET", "HEAD", "POST"])


@require_GET
@page
def home(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """All clusters of all the actor's tenants."""
    return render(request, "clusters/list.html", _list(actor))


@require_GET
@page
def home_live(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """The list's rows if they changed since ``?seen=``."""
    shown = _list(actor)
    if request.GET.get("seen") == shown["version"]:
        return HttpResponse(status=204)
    return render(request, "clusters/_list.html", shown)


@EDITABLE
@page
def create(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """The form; a valid one asks for the cluster and goes on to its page."""
    given = request.POST or request.GET
    form = ClusterForm(request.POST or None, offer=_offer(actor, given), initial=_kept(given))
    made = attempt(form, partial(_put, actor, form)) if request.method == "POST" else None
    if made is not None:
        return redirect("cluster", made.cluster.tenant.name, made.cluster.name)
    return render(request, "clusters/new.html", {"form": form, "sizes": SIZES}, status=status_of(form))


@require_GET
@page
def quota(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """What the accelerators that are typed so far would come to: within the grant, or who is asked."""
    form = ClusterForm(request.GET, offer=_offer(actor, request.GET))
    form.full_clean()
    plans: tuple[DevicePlan, ...] = ()
    fault = ""
    if form.accelerators():
        try:
            plans = actions.plan(
                by=actor,
                tenant_name=form.offer.tenant.name,
                name=form.cleaned_data.get("name") or "new",
                spec_text=form.spec_text(),
            ).accelerators
        except DomainError as error:
            fault = error.detail
    return render(request, "clusters/_quota.html", {"plans": plans, "fault": fault})


@require_GET
@page
def show(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """The cluster's page, or what became of it."""
    try:
        shown = cluster_page.read(actor, tenant, name)
    except NotFound:
        ended = cluster_page.end(actor, tenant, name)
        return render(request, "clusters/gone.html", {"ended": ended}, status=404)
    return render(request, "clusters/show.html", {"page": shown})


@require_GET
@page
def live(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """The page's live part if it changed since ``?seen=``; the end of it stops the polling."""
    try:
        shown = cluster_page.read(actor, tenant, name)
    except NotFound:
        ended = cluster_page.end(actor, tenant, name)
        return render(request, "clusters/_gone.html", {"ended": ended, "live": True}, status=STOP_POLLING)
    if request.GET.get("seen") == shown.version:
        return HttpResponse(status=204)
    return render(request, "clusters/_live.html", {"page": shown, "live": True})


@require_POST
@page
def retry(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """Lets a stopped cluster try again."""
    actions.retry(by=actor, tenant_name=tenant, name=name)
    messages.success(request, f"{name} tries again now. Its steps show how far it is.")
    return redirect("cluster", tenant, name)


@EDITABLE
@page
def delete(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """Asks for the name; the right one asks for the cluster's end."""
    cluster = clusters.get(actor, tenant, name)
    policy.check(actor, Permission.CLUSTER_WRITE, cluster.tenant)
    form = DeleteForm(request.POST or None, name=name)
    ask = partial(actions.delete, by=actor, tenant_name=tenant, name=name)
    if request.method == "POST" and attempt(form, ask) is not None:
        return redirect("cluster", tenant, name)
    return render(request, "clusters/delete.html", {"form": form, "cluster": cluster}, status=status_of(form))


def _put(actor: Actor, form: ClusterForm) -> actions.PutResult:
    chosen = form.cleaned_data
    return actions.put(
        by=actor,
        tenant_name=chosen["tenant"],
        name=chosen["name"],
        spec_text=form.spec_text(),
        expect=Expectation(absent=True),
    )


def _list(actor: Actor) -> dict[str, Any]:
    rows = list(clusters.visible_to(actor))
    settled = {Phase.READY, Phase.PAUSED, Phase.FAILED}
    seen = [(c.uid, c.generation, c.phase, presenters.brief(c), presenters.size(c)) for c in rows]
    writable = _writable(actor)
    return {
        "clusters": rows,
        "writable": {tenant.name for tenant in writable},
        "working": any(Phase(c.phase) not in settled for c in rows),
        "version": presenters.version(seen),
        "tenants": list(tenants.visible_to(actor)),
        "may_create": bool(writable),
    }


def _writable(actor: Actor) -> list[Tenant]:
    """The tenants in which the actor may make clusters."""
    return [t for t in tenants.visible_to(actor) if policy.allows(actor, Permission.CLUSTER_WRITE, t)]


def _kept(given: QueryDict) -> dict[str, Any]:
    """What was typed; where another template is taken, its own values are shown instead."""
    typed = given.dict()
    if given.get("template", "") == given.get("template_was", ""):
        return typed
    return {key: typed[key] for key in ("tenant", "name", "template") if key in typed}


def _offer(actor: Actor, given: QueryDict) -> Offer:
    found = _writable(actor)
    if not found:
        msg = "you may not make clusters in any tenant: ask an owner to make you a member, or an admin for a tenant"
        raise NotAllowed(msg)
    tenant = next((t for t in found if t.name == given.get("tenant", "")), found[0])
    name, version = given.get("template", ""), given.get("template_version", "")
    chosen = choice(tenant, name, version if name == given.get("template_was", name) else "")
    host, own = hosts.pick(), hosts.pick(pools_of=tenant)
    mine = [pools.to_pool(row) for row in pools.of_tenant(tenant, own)] if own else []
    here = offers.of_host(tenant, host) if host else None
    classes = list(accelerators.all_().filter(offered=True).values_list("key", flat=True))
    able = [pool for pool in mine if pool.nodes]
    return Offer(found, tenant, here, able, classes, add_ons.offered(), chosen)
