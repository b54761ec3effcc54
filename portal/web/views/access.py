"""The kubeconfig download: asked for, waited for, handed over once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from asgiref.sync import sync_to_async
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from portal.web.forms.access import KubeconfigForm
from portal.web.pages import refused, to_sign_in, write_down
from tenancy.actions import access
from tenancy.enums import AccessState
from tenancy.errors import Conflict, DomainError, Invalid, NotAllowed
from tenancy.policy import Actor

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, QueryDict
    from django.http.response import HttpResponseBase

PATIENCE: Final = 8.0
"""Seconds to wait for a worker; it takes well below one when all is well."""
LOOK_EVERY: Final = 0.2


@never_cache
@require_POST
async def download(request: HttpRequest, tenant: str, name: str) -> HttpResponseBase:
    """A kubeconfig with the rights of the caller's role, as a file; waits without holding a thread."""
    user = await request.auser()
    if not user.is_authenticated:
        return to_sign_in(request)
    actor = Actor(user, decides=False)
    try:
        uid = await sync_to_async(_ask)(actor, tenant, name, request.POST)
        found = await _collected(actor, uid)
    except DomainError as error:
        if isinstance(error, NotAllowed):
            await sync_to_async(write_down)(error, request, actor.name)
        return await sync_to_async(refused)(request, error)
    return await sync_to_async(_late)(request) if found is None else _file(found, f"{tenant}-{name}.yaml")


def _ask(actor: Actor, tenant: str, name: str, data: QueryDict) -> UUID:
    form = KubeconfigForm(data)
    if not form.is_valid():
        msg = "choose for how long the kubeconfig shall work: 10 minutes, 30 minutes or an hour"
        raise Invalid(msg)
    lifetime = form.cleaned_data["lifetime"]
    return access.request(by=actor, tenant_name=tenant, name=name, lifetime=lifetime).uid


async def _collected(actor: Actor, uid: UUID) -> access.Collected | None:
    """``None`` when nobody made it in time."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = await sync_to_async(access.collect)(by=actor, uid=uid)
        if found.state is AccessState.READY:
            return found
        if found.state is AccessState.FAILED:
            msg = f"no kubeconfig could be made: {found.error}"
            raise Conflict(msg)
        await asyncio.sleep(LOOK_EVERY)
    return None


def _file(found: access.Collected, name: str) -> HttpResponse:
    response = HttpResponse(found.kubeconfig, content_type="application/yaml")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    if found.expires_at is not None:
        response["X-Atoll-Expires-At"] = found.expires_at.isoformat()
    return response


def _late(request: HttpRequest) -> HttpResponse:
    detail = "No worker made the kubeconfig within 8 seconds. Ask again in a moment; nothing is left behind."
    return render(request, "refused.html", {"detail": detail}, status=503)
