"""Waiting for a cluster: one answer a moment, or one that comes when there is something to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from portal.api.base import RETRY_AFTER, operation
from portal.api.errors import problem
from portal.api.serializers.clusters import Cluster, WaitQuery
from portal.api.views.clusters import ClusterResource
from portal.api.waiting import NOT_YET, WAIT, Wait, look_until_told, patient
from tenancy.enums import Phase
from tenancy.queries import clusters

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy.models import VirtualCluster

IN_VAIN: Final = frozenset({Phase.PAUSED, Phase.FAILED, Phase.DELETING})
"""Who waits may stop; every other phase may still become Ready."""


class ClusterReady(ClusterResource):
    """Whether a cluster can be used, as it is wanted now."""

    @operation("getClusterReady", {200: Cluster}, query=WaitQuery, problems=(409,))
    def get(self, request: Request, tenant: str, name: str) -> Response:
        """Answers 200 when the cluster is ready at its last change, 503 while it is not.

        409 says that waiting is in vain: it failed, sleeps, or is being deleted. With
        `wait=30s` the answer comes when there is one other than 503, or then.
        """
        cluster = clusters.get(self.actor, tenant, name)
        request.META[WAIT] = Wait(cluster.uid, cluster.phase, self.query["wait"])
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
        return patient(super().as_view(**initkwargs), look_until_told)


def _why(cluster: VirtualCluster) -> str:
    rows = {row.type: row for row in cluster.conditions.all()}
    seen = rows.get("Stalled") if cluster.phase == Phase.FAILED else rows.get("Available")
    reason = f": {seen.message or seen.reason}" if seen else ""
    return f"{cluster} is {cluster.phase}{reason}"
