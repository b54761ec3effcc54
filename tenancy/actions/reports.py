"""Isolation reports: asked for by people or the schedule, made by a worker, signed here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils import timezone

from tenancy import policy
from tenancy.actions import audit, observations, work
from tenancy.actions.unit import atomic
from tenancy.enums import (
    ConditionStatus,
    ConditionType,
    Permission,
    Phase,
    Reason,
    ReportState,
    WorkKind,
)
from tenancy.errors import Asleep, BeingDeleted, Conflict, InQuarantine
from tenancy.models import Finding, IsolationReport, VirtualCluster
from tenancy.queries import clusters, reports
from tenancy.rules import attestation
from tenancy.rules.conditions import Condition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.actions.work import Lease
    from tenancy.policy import Actor
    from tenancy.rules.attestation import Claim

SCHEDULE: Final = "schedule"
KEPT: Final = 50
"""Reports of a cluster; older ones are dropped."""
FAILED_AGAIN: Final = timedelta(minutes=2)
"""After a report that failed, for so long none is made by the schedule, unless something was put right."""
AT_ONCE: Final = 20
"""Reports that one look of the schedule asks for, so that many clusters do not come all at a time."""


@atomic
def request(*, by: Actor, tenant_name: str, name: str) -> IsolationReport:
    """Asks for a report; while one is being made, that one is the answer."""
    cluster = clusters.get(by, tenant_name, name)
    policy.check(by, Permission.REPORT_REQUEST, cluster.tenant)
    cluster = (
        VirtualCluster.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=cluster.pk)
    )
    _refuse(cluster)
    return reports.pending(cluster) or _ask(cluster, by.name)


@atomic
def schedule() -> int:
    """Asks for reports of clusters in use whose last is older than the interval; returns how many.

    One that failed is made anew soon, and at once when something amiss has been put right since.
    """
    now = timezone.now()
    since, lately = now - timedelta(seconds=settings.ATOLL_REPORT_EVERY), now - FAILED_AGAIN
    last = IsolationReport.objects.filter(cluster=OuterRef("pk")).order_by("-requested_at")
    used = VirtualCluster.objects.filter(phase__in=[Phase.READY, Phase.DEGRADED]).annotate(
        last_at=Subquery(last.values("requested_at")[:1]), last_verdict=Subquery(last.values("verdict")[:1])
    )
    old = Q(last_at__isnull=True) | Q(last_at__lte=since)
    again = Q(last_verdict=False) & (Q(last_at__lte=lately) | Exists(_put_right_since("last_at")))
    due = used.filter(old | again).order_by("created_at")
    found = [c for c in due.select_related("tenant")[:AT_ONCE] if reports.pending(c) is None]
    for cluster in found:
        _ask(cluster, SCHEDULE)
    return len(found)


@atomic
def begin(lease: Lease, uid: UUID) -> bool:
    """A worker looks at it for the first time; False when the lease is lost."""
    if not work.holds(lease):
        return False
    IsolationReport.objects.filter(uid=uid, started_at__isnull=True).update(started_at=timezone.now())
    return True


@atomic
def finish(lease: Lease, uid: UUID, claims: Sequence[Claim], *, policies: str) -> bool:
    """Signs what was seen and records it; False when the lease is lost, and nothing is written.

    False, too, when the cluster was put to sleep meanwhile: what was seen of it then says nothing.
    """
    row = IsolationReport.objects.select_related("cluster__tenant", "cluster__host").filter(uid=uid).first()
    if not work.holds(lease):
        return False
    if row is None or row.state != ReportState.PENDING:
        return True
    if clusters.spec(row.cluster).paused:
        refuse(lease, uid, f"{row.cluster} was paused while the report was made")
        return False
    now = timezone.now()
    expires = now + timedelta(seconds=settings.ATOLL_REPORT_VALID)
    text = attestation.statement(
        _subject(row.cluster), claims, report=str(uid), policies=policies, issued=now, expires=expires
    )
    signed, good = attestation.sign(settings.SIGNING_KEYS, text), attestation.verdict(claims)
    row.state, row.finished_at, row.verdict = ReportState.READY, now, good
    row.statement, row.envelope, row.key_id = signed.statement, signed.envelope, signed.key_id
    row.expires_at = expires
    row.save()
    _conclude(row, claims, good=good)
    _drop_old(row.cluster)
    return True


@atomic
def refuse(lease: Lease, uid: UUID, message: str) -> bool:
    """Tells why there is no report; it counts as no proof, and not against the cluster."""
    if not work.holds(lease):
        return False
    row = IsolationReport.objects.select_related("cluster").filter(uid=uid, state=ReportState.PENDING).first()
    if row is not None:
        failed = {"state": ReportState.FAILED, "error": message, "finished_at": timezone.now()}
        IsolationReport.objects.filter(pk=row.pk).update(**failed)
        _drop_old(row.cluster)
    return True


def _put_right_since(moment: str) -> QuerySet[Finding]:
    """Findings of the cluster, or of its whole host, that were closed after this field's time."""
    of_it = Q(cluster=OuterRef("pk")) | Q(namespace="", host=OuterRef("host__name"))
    return Finding.objects.filter(of_it, restored_at__gt=OuterRef(moment))


def _refuse(cluster: VirtualCluster) -> None:
    if cluster.deleting:
        msg = f"{cluster} is being deleted: there is nothing left to report on"
        raise BeingDeleted(msg)
    if cluster.quarantined:
        msg = f"{cluster} is in quarantine and nothing of it runs: an admin lifts it, then ask again"
        raise InQuarantine(msg)
    if clusters.spec(cluster).paused:
        msg = f"{cluster} is paused and nothing of it runs: set spec.paused to false, and ask again when it is Ready"
        raise Asleep(msg)
    if cluster.first_ready_at is None:
        msg = f"{cluster} is {cluster.phase}: wait until it is Ready (GET …/ready), then ask again"
        raise Conflict(msg)


def _ask(cluster: VirtualCluster, who: str) -> IsolationReport:
    row = IsolationReport.objects.create(cluster=cluster, requested_by=who)
    if who != SCHEDULE:
        _note(who, "report.request", cluster, report=str(row.uid))
    work.request(WorkKind.REPORT, row.uid)
    return row


def _subject(cluster: VirtualCluster) -> attestation.Subject:
    return attestation.Subject(
        cluster.tenant.name,
        cluster.name,
        str(cluster.uid),
        cluster.generation,
        cluster.namespace,
        cluster.host.name,
    )


def _conclude(row: IsolationReport, claims: Sequence[Claim], *, good: bool) -> None:
    """The condition, and with a bad verdict the alarm's audit row."""
    cluster, message = row.cluster, attestation.failures(claims)
    if good:
        kept = Condition(
            ConditionType.ISOLATION_ATTESTED,
            ConditionStatus.TRUE,
            Reason.AS_WANTED,
            f"{len(claims)} claims passed; signed until {row.expires_at:%Y-%m-%d %H:%M} UTC",
            cluster.generation,
        )
    else:
        _note(observations.PROVISIONER, "report.failed", cluster, report=str(row.uid), claims=message)
        kept = Condition(
            ConditionType.ISOLATION_ATTESTED,
            ConditionStatus.FALSE,
            Reason.CLAIM_FAILED,
            f"the isolation report failed: {message}",
            cluster.generation,
        )
    observations.note(cluster.uid, kept)


def _drop_old(cluster: VirtualCluster) -> None:
    kept = reports.of_cluster(cluster).values_list("uid", flat=True)[:KEPT]
    old = IsolationReport.objects.filter(cluster=cluster).exclude(uid__in=list(kept))
    for uid in old.values_list("uid", flat=True):
        work.forget(WorkKind.REPORT, uid)
    old.delete()


def _note(actor: str, action: str, cluster: VirtualCluster, **facts: object) -> None:
    tenant = cluster.tenant.name
    target = f"cluster/{tenant}/{cluster.name}"
    audit.note(actor=actor, action=action, tenant=tenant, target=target, **facts)
