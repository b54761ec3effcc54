"""Sleep: what it means is told before a cluster is put to it; waking takes one press."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from portal.web.forms.pausing import PauseForm
from portal.web.pages import attempt, page, status_of
from tenancy import policy
from tenancy.actions import pausing
from tenancy.enums import Permission
from tenancy.queries import cluster_devices, clusters

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.actions.clusters import PutResult
    from tenancy.policy import Actor


@require_http_methods(["GET", "HEAD", "POST"])
@page
def pause(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """What ends and what stays, and what becomes of its accelerators; then puts it to sleep."""
    cluster = clusters.get(actor, tenant, name)
    policy.check(actor, Permission.CLUSTER_WRITE, cluster.tenant)
    devices = cluster_devices.of_clusters([cluster]).get(cluster.uid, ())
    data = request.POST if request.method == "POST" else None
    form = PauseForm(data, wish=clusters.spec(cluster))
    if data is not None and attempt(form, partial(_pause, actor, tenant, name, form)) is not None:
        messages.success(
            request, f"{name} is being put to sleep. Its steps show when nothing of it runs any more."
        )
        return redirect("cluster", tenant, name)
    shown = {"form": form, "cluster": cluster, "devices": devices}
    return render(request, "clusters/pause.html", shown, status=status_of(form))


@require_POST
@page
def resume(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """Wakes it."""
    pausing.resume(by=actor, tenant_name=tenant, name=name)
    messages.success(request, f"{name} wakes up. Kubeconfigs work again once it is Ready.")
    return redirect("cluster", tenant, name)


def _pause(actor: Actor, tenant: str, name: str, form: PauseForm) -> PutResult:
    return pausing.pause(by=actor, tenant_name=tenant, name=name, release=form.release)
