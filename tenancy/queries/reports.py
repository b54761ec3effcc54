"""Reads of isolation reports."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings

from tenancy.enums import Phase, ReportState
from tenancy.errors import NotFound
from tenancy.models import IsolationReport, VirtualCluster
from tenancy.queries.clusters import to_desired
from tenancy.rules import attestation
from tenancy.rules.specs import DesiredReport, Neighbour

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet


def of_cluster(cluster: VirtualCluster) -> QuerySet[IsolationReport]:
    """Newest first; who may see the cluster may see its reports."""
    return IsolationReport.objects.filter(cluster=cluster).select_related("cluster__tenant")


def get(cluster: VirtualCluster, uid: UUID) -> IsolationReport:
    """One report of a cluster."""
    found = of_cluster(cluster).filter(uid=uid).first()
    if found is None:
        msg = f"there is no isolation report {uid} of {cluster}, or it is no longer kept: list its reports"
        raise NotFound(msg)
    return found


def latest(cluster: VirtualCluster) -> IsolationReport | None:
    """The last one that was made."""
    return of_cluster(cluster).filter(state=ReportState.READY).first()


def pending(cluster: VirtualCluster) -> IsolationReport | None:
    """The one that is being made."""
    return of_cluster(cluster).filter(state=ReportState.PENDING).first()


def keys() -> list[dict[str, str]]:
    """The public keys by which reports are verified."""
    return attestation.published(settings.SIGNING_KEYS)


def desired(uid: UUID) -> DesiredReport | None:
    """What to report on; ``None`` when it was made or its cluster is gone."""
    row = (
        IsolationReport.objects.select_related("cluster__tenant", "cluster__host")
        .filter(uid=uid, state=ReportState.PENDING)
        .first()
    )
    if row is None:
        return None
    return DesiredReport(row.uid, to_desired(row.cluster), row.started_at, _neighbour(row.cluster))


def _neighbour(cluster: VirtualCluster) -> Neighbour | None:
    """Another tenant's cluster where there is one, else another of the same tenant."""
    others = (
        VirtualCluster.objects.filter(host=cluster.host, phase=Phase.READY)
        .exclude(uid=cluster.uid)
        .exclude(endpoint="")
        .select_related("tenant")
    )
    found = others.exclude(tenant=cluster.tenant).first() or others.first()
    if found is None:
        return None
    url = urlsplit(found.endpoint)
    return Neighbour(str(found), found.namespace, f"{url.hostname}:{url.port or 443}")
