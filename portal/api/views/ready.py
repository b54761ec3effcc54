"""Waiting for a cluster: one answer a moment, or one that comes when there is something to tell."""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import sync_to_async
from django.db import connections
from django.views.decorators.csrf import csrf_exempt

from portal.api.base import RETRY_AFTER, operation
from portal.api.errors import problem
from portal.api.serializers.clusters import Cluster, ReadyQuery
from portal.api.views.clusters import ClusterResource
from tenancy.enums import Phase
from tenancy.queries import clusters

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request
    from rest_framework.response import Response

LOOK_EVERY: Final = 0.5
"""Seconds between two looks of one who waits."""
WAITERS_MAX: Final = 64
"""In one process; one more is answered at once and told when to come back."""
WAIT_LEFT: Final = "X-Atoll-Wait"
NOT_YET: Final = 503
IN_VAIN: Final = frozenset({Phase.FAILED, Phase.DELETING})
"""Who waits may stop; every other phase may still become Ready."""


class ClusterReady(ClusterResource):
    """Whether a cluster can be used, as it is wanted now."""

    @operation("getClusterReady", {200: Cluster}, query=ReadyQuery, problems=(409,))
    def get(self, request: Request, tenant: str, name: str) -> Response:
        """Answers 200 when the cluster is ready at its last change, 503 while it is not.

        409 says that waiting is in vain: it failed, or is being deleted. With
        `wait=30s` the answer comes when there is one other than 503, or then.
        """
        cluster = clusters.get(self.actor, tenant, name)
        request.META[WAIT_LEFT] = self.query["wait"]
        phase = Phase(cluster.phase)
        if phase is Phase.READY:
            return self.cluster(cluster)
        if phase in IN_VAIN:
            return problem(409, _why(cluster), code="will-not-be-ready", phase=phase)
        headers = {"Retry-After": RETRY_AFTER}
        return problem(NOT_YET, _why(cluster), code="not-ready", headers=headers, phase=phase)

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:  # noqa: ANN401 - DRF's signature
        """The view above, looked at again and again while the caller waits."""
        once = super().as_view(**initkwargs)

        @wraps(once)
        async def patient(request: HttpRequest, **names: str) -> HttpResponseBase:
            return await _look_until_told(once, request, names)

        return csrf_exempt(patient)


class _Waiters:
    """How many wait in this process."""

    count = 0


async def _look_until_told(
    once: Callable[..., Any], request: HttpRequest, names: dict[str, str]
) -> HttpResponseBase:
    loop = asyncio.get_running_loop()
    began = loop.time()
    response = await sync_to_async(_look)(once, request, names)
    until = began + request.META.get(WAIT_LEFT, 0)
    if _Waiters.count >= WAITERS_MAX:
        return response
    _Waiters.count += 1
    try:
        while response.status_code == NOT_YET and loop.time() + LOOK_EVERY <= until:
            await asyncio.sleep(LOOK_EVERY)
            response = await sync_to_async(_look)(once, request, names)
    finally:
        _Waiters.count -= 1
    return response


def _look(once: Callable[..., Any], request: HttpRequest, names: dict[str, str]) -> HttpResponseBase:
    """One look; between two of them no connection to the database is held."""
    response: HttpResponseBase = once(request, **names)
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
    return response


def _why(cluster: Any) -> str:  # noqa: ANN401
    rows = {row.type: row for row in cluster.conditions.all()}
    seen = rows.get("Stalled") if cluster.phase == Phase.FAILED else rows.get("Available")
    reason = f": {seen.message or seen.reason}" if seen else ""
    return f"{cluster} is {cluster.phase}{reason}"
