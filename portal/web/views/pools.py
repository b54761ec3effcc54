"""Node pools of a host and the nodes in them, for platform roles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from portal.web import presenters
from portal.web.forms.pools import PoolForm
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from tenancy import policy
from tenancy.actions import nodes as node_actions
from tenancy.actions import pools as actions
from tenancy.enums import Permission, PoolKind, StepState
from tenancy.queries import hosts, nodes, pools, tenants

if TYPE_CHECKING:
    from typing import Any

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.models import HostCluster, Node, NodeMove, NodePool
    from tenancy.policy import Actor


@EDITABLE
@page
def index(request: HttpRequest, actor: Actor, host: str) -> HttpResponseBase:
    """The pools of a host, its nodes and how far each move is; a form for one more pool."""
    policy.check(actor, Permission.HOST_VIEW)
    found = hosts.get(actor, host)
    changed = pools.visible_to(actor, found).filter(name=request.GET.get("pool", "")).first()
    form = PoolForm(request.POST or None, tenants=tenants.visible_to(actor), initial=_initial(changed))
    made = attempt(form, partial(_put, actor, host, form)) if request.method == "POST" else None
    if made is not None:
        then = "Move nodes into it below." if made[1] else "Its nodes follow."
        messages.success(request, f"Pool {made[0].name} is {'made' if made[1] else 'as you want it'}. {then}")
        return redirect("pools", host)
    context = {**_seen(actor, found), "form": form}
    return render(request, "hosts/pools.html", context, status=status_of(form))


@require_GET
@page
def live(request: HttpRequest, actor: Actor, host: str) -> HttpResponseBase:
    """The nodes if anything about them changed since ``?seen=``."""
    policy.check(actor, Permission.HOST_VIEW)
    shown = _seen(actor, hosts.get(actor, host))
    if request.GET.get("seen") == shown["version"]:
        return HttpResponse(status=204)
    return render(request, "hosts/_nodes.html", shown)


@require_POST
@page
def remove(request: HttpRequest, actor: Actor, host: str, name: str) -> HttpResponseBase:
    """The end of a pool without nodes and clusters."""
    actions.delete(by=actor, host_name=host, name=name)
    messages.success(request, f"Pool {name} is gone.")
    return redirect("pools", host)


@require_POST
@page
def move(request: HttpRequest, actor: Actor, host: str, node: str) -> HttpResponseBase:
    """Asks for a node to be in another pool; what others left on it is wiped on the way."""
    pool, discard = request.POST.get("pool") or None, "discard" in request.POST
    node_actions.move(by=actor, host_name=host, name=node, pool_name=pool, discard_volumes=discard)
    messages.success(request, f"{node} is on its way. Its row shows how far it is.")
    return redirect("pools", host)


def _put(actor: Actor, host: str, form: PoolForm) -> tuple[NodePool, bool]:
    given = form.cleaned_data
    wish = actions.PoolWish(
        kind=PoolKind(given["kind"]),
        tenant=given["tenant"],
        selector=given["selector"],
        sandboxes=given["sandboxes"],
        reserved=given["reserved"],
        **_kept(actor, host, given["name"]),
    )
    return actions.put(by=actor, host_name=host, name=given["name"], wish=wish)


def _kept(actor: Actor, host: str, name: str) -> dict[str, Any]:
    """What the form does not show stays as it is in a pool that is changed."""
    old = pools.visible_to(actor, hosts.get(actor, host)).filter(name=name).first()
    return {} if old is None else {"tainted": old.tainted, "accelerators": tuple(old.accelerators)}


def _initial(pool: NodePool | None) -> dict[str, Any]:
    """Of a pool that is to be changed, as the form takes it."""
    if pool is None:
        return {}
    return {
        "name": pool.name,
        "kind": pool.kind,
        "tenant": pool.tenant.name if pool.tenant else "",
        "selector": presenters.pairs(pool.selector),
        "sandboxes": pool.sandboxes,
        "reserved": presenters.pairs(pool.reserved),
    }


def _seen(actor: Actor, host: HostCluster) -> dict[str, Any]:
    rows = list(nodes.visible_to(actor, host))
    named = nodes.holders(rows)
    shown = [
        _Shown(node, named[node.holder], next(iter(getattr(node, "running", ())), None)) for node in rows
    ]
    return {
        "host": host,
        "pools": list(pools.visible_to(actor, host).prefetch_related("clusters__tenant")),
        "nodes": shown,
        "moving": any(one.move for one in shown),
        "may_manage": policy.allows(actor, Permission.HOST_MANAGE),
        "version": presenters.version(
            [(n.node.name, n.node.pool_id, n.node.present, n.holder, n.step) for n in shown]
        ),
    }


@dataclass(frozen=True)
class _Shown:
    """A node's row."""

    node: Node
    holder: str
    """Whose remains may be on it."""
    move: NodeMove | None

    @property
    def step(self) -> str:
        """What its move is at, for people; empty when it is where it is to be."""
        if self.move is None:
            return ""
        current = next((s for s in self.move.steps if s["state"] != StepState.DONE), None)
        if current is None:
            return "waiting for a worker"
        return ": ".join(part for part in (current["name"], current["message"]) if part)
