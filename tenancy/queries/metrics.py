"""What those who run Atoll watch of it: figures of the whole platform, in few reads, as many for much as for little.

A row's fields are labels and figures; ``portal.metrics`` names them. Where there is nothing, a row says 0:
an alert on a figure that is missing never fires. Of accelerators: ``gpu_metrics``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Count, F, Max, Min, Q, Sum

from tenancy.enums import (
    ConditionStatus,
    ConditionType,
    FindingKind,
    OperationKind,
    OperationState,
    Phase,
    ServiceKind,
)
from tenancy.event_enums import DeliveryState
from tenancy.models import (
    AuditHead,
    ClusterCondition,
    Delivery,
    EventHead,
    Finding,
    HostCluster,
    Node,
    NodeMove,
    Operation,
    ServiceHeartbeat,
    Tenant,
    Webhook,
)
from tenancy.queries import clock, services, webhooks

if TYPE_CHECKING:
    from datetime import datetime

NAMED: Final = timedelta(hours=1)
"""A process is told of by name for so long after its last sign of life: each pod that ever was has another name."""


@dataclass(frozen=True)
class Services:
    """The processes of one kind."""

    service: ServiceKind
    alive: int = 0
    seen_at: float | None = None
    """Unix time, as are all moments here."""


def of_services() -> list[Services]:
    """Each kind of process."""
    alive = Count("pk", filter=Q(seen_at__gt=clock.now() - services.ALIVE))
    rows = ServiceHeartbeat.objects.order_by().values_list("kind").annotate(alive=alive, seen=Max("seen_at"))
    found = {kind: (count, _unix(seen)) for kind, count, seen in rows}
    return [Services(kind, *found.get(kind, ())) for kind in ServiceKind]


@dataclass(frozen=True)
class Process:
    """One of them."""

    service: str
    name: str
    seen_at: float | None


def of_processes() -> list[Process]:
    """Those that were heard of lately."""
    rows = ServiceHeartbeat.objects.filter(seen_at__gt=clock.now() - NAMED).order_by("kind", "name")
    return [Process(row.kind, row.name, _unix(row.seen_at)) for row in rows]


@dataclass(frozen=True)
class Host:
    """One host cluster."""

    host: str
    reachable: bool
    accepts_clusters: bool
    seen_at: float | None
    nodes: int
    moving: int


def of_hosts() -> list[Host]:
    """Each host, by name."""
    nodes = Node.objects.filter(present=True).order_by().values_list("host").annotate(Count("pk"))
    moves = NodeMove.objects.filter(state=OperationState.RUNNING).order_by().values_list("node__host")
    there, moving = dict(nodes), dict(moves.annotate(Count("pk")))
    rows = HostCluster.objects.order_by("name")
    return [
        Host(
            host=row.name,
            reachable=row.reachable == ConditionStatus.TRUE,
            accepts_clusters=row.accepts_clusters,
            seen_at=_unix(row.seen_at),
            nodes=there.get(row.pk, 0),
            moving=moving.get(row.pk, 0),
        )
        for row in rows.only("name", "reachable", "accepts_clusters", "seen_at")  # the facts are large
    ]


@dataclass(frozen=True)
class Clusters:
    """The clusters of one host that are in one phase."""

    host: str
    phase: Phase
    clusters: int = 0
    behind: int = 0
    """Whose last spec is not in force yet."""


def of_clusters() -> list[Clusters]:
    """Each host and phase."""
    late = Q(clusters__generation__gt=F("clusters__observed_generation"))
    counts = {"all": Count("clusters"), "behind": Count("clusters", filter=late)}
    rows = HostCluster.objects.order_by().values_list("name", "clusters__phase").annotate(**counts)
    found = {(host, phase): numbers for host, phase, *numbers in rows}
    hosts = sorted({host for host, _ in found})
    return [Clusters(host, phase, *found.get((host, phase), ())) for host in hosts for phase in Phase]


@dataclass(frozen=True)
class Conditions:
    """The clusters of which one condition has one status."""

    type: ConditionType
    status: ConditionStatus
    clusters: int


def of_conditions() -> list[Conditions]:
    """Each condition and status."""
    rows = ClusterCondition.objects.order_by().values_list("type", "status").annotate(Count("pk"))
    found = {(kind, status): count for kind, status, count in rows}
    each = ((kind, status) for kind in ConditionType for status in ConditionStatus)
    return [Conditions(kind, status, found.get((kind, status), 0)) for kind, status in each]


@dataclass(frozen=True)
class Operations:
    """Changes of one kind that are under way."""

    kind: OperationKind
    running: int = 0
    oldest_seconds: float = 0.0


def of_operations() -> list[Operations]:
    """Each kind."""
    now, running = clock.now(), Operation.objects.filter(state=OperationState.RUNNING).order_by()
    rows = running.values_list("kind").annotate(Count("pk"), Min("created_at"))
    found = {kind: (count, clock.seconds_since(oldest, now)) for kind, count, oldest in rows}
    return [Operations(kind, *found.get(kind, ())) for kind in OperationKind]


@dataclass(frozen=True)
class Tenants:
    """Tenants that are suspended, or not."""

    suspended: bool
    tenants: int


def of_tenants() -> list[Tenants]:
    """Both."""
    found = dict(Tenant.objects.order_by().values_list("suspended").annotate(Count("pk")))
    return [Tenants(suspended, found.get(suspended, 0)) for suspended in (False, True)]


@dataclass(frozen=True)
class Findings:
    """What is amiss of one kind on one host."""

    host: str
    kind: FindingKind
    open: int = 0
    oldest_seconds: float = 0.0


def of_findings() -> list[Findings]:
    """Each host and kind."""
    now, rows = clock.now(), Finding.objects.filter(restored_at=None).order_by().values_list("host", "kind")
    found = {
        (host, kind): (count, clock.seconds_since(oldest, now))
        for host, kind, count, oldest in rows.annotate(Count("pk"), Min("noticed_at"))
    }
    hosts = {*HostCluster.objects.values_list("name", flat=True), *(host for host, _ in found)}
    return [
        Findings(host, kind, *found.get((host, kind), ())) for host in sorted(hosts) for kind in FindingKind
    ]


@dataclass(frozen=True)
class Webhooks:
    """All webhooks, and what is on its way to them."""

    sending: int
    failing: int
    """Of these, whose last attempt failed."""
    given_up: int
    """Atoll sends them nothing any more."""
    waiting: int
    oldest_seconds: float
    failed: int
    """Deliveries given up, of the last days."""


def of_webhooks() -> list[Webhooks]:
    """One row."""
    hooks = Webhook.objects.aggregate(
        sending=Count("pk", filter=webhooks.active()),
        failing=Count("pk", filter=webhooks.active() & Q(failures__gt=0)),
        given_up=Count("pk", filter=Q(enabled=True, disabled_at__isnull=False)),
    )
    # Each by an index of its own: the table is as large as all events of a week.
    pending = Delivery.objects.filter(state=DeliveryState.PENDING)
    waiting, oldest = pending.aggregate(n=Count("pk"), oldest=Min("created_at")).values()
    failed = Delivery.objects.filter(state=DeliveryState.FAILED).count()
    return [
        Webhooks(
            **hooks, waiting=waiting, oldest_seconds=clock.seconds_since(oldest, clock.now()), failed=failed
        )
    ]


@dataclass(frozen=True)
class Events:
    """What happened, and whether webhooks were told."""

    events: int
    waiting: int
    """Not handed over to webhooks yet."""


def of_events() -> list[Events]:
    """One row."""
    behind = F("sequence") - F("handed_over")
    found = EventHead.objects.aggregate(events=Sum("sequence", default=0), waiting=Sum(behind, default=0))
    return [Events(**found)]


@dataclass(frozen=True)
class Audit:
    """The audit log."""

    rows: int
    unsigned: int
    """Behind the last signed head."""
    signed_at: float | None
    checked_at: float | None
    faults: int
    """Found by the last look at all of it."""


def of_audit() -> list[Audit]:
    """One row."""
    head = AuditHead.objects.first() or AuditHead()
    return [
        Audit(
            rows=head.sequence,
            unsigned=head.sequence - head.signed_sequence,
            signed_at=_unix(head.signed_at),
            checked_at=_unix(head.checked_at),
            faults=len(head.faults),
        )
    ]


def _unix(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
