"""The metrics of Atoll: their names, and one collector that reads the database whenever somebody asks.

docs/metrics.md is written from here. Every portal tells the same, for it is about the platform, not the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from tenancy.queries import gpu_metrics, metrics, work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format, which everything that scrapes reads."""


@dataclass(frozen=True)
class Metric:
    """A name, and the field of a row that is its value; a row in which that is ``None`` has no sample."""

    name: str
    field: str
    help: str

    @property
    def counter(self) -> bool:
        """Whether it only grows; all else goes up and down."""
        return self.name.endswith("_total")

    def family(self, rows: Sequence[Any], labels: Sequence[str]) -> CounterMetricFamily | GaugeMetricFamily:
        """With its samples."""
        kind = CounterMetricFamily if self.counter else GaugeMetricFamily
        found = kind(self.name, self.help, labels=labels)
        for row in rows:
            value = getattr(row, self.field)
            if value is not None:
                found.add_metric([_word(getattr(row, label)) for label in labels], value)
        return found


@dataclass(frozen=True)
class Chapter:
    """Metrics about the same things: read together, with the same labels."""

    title: str
    read: Callable[[], Sequence[Any]]
    labels: tuple[str, ...]
    """Fields of a row, and names of labels."""
    metrics: tuple[Metric, ...]


CHAPTERS: Final = (
    Chapter(
        "Work",
        work.queues,
        ("kind",),
        (
            Metric("atoll_work_due", "due", "Objects that want a pass now and that no worker is at."),
            Metric("atoll_work_running", "running", "Objects that a worker is at."),
            Metric(
                "atoll_work_failing", "failing", "Objects whose last pass met an error and is tried again."
            ),
            Metric(
                "atoll_work_oldest_due_seconds",
                "oldest_due_seconds",
                "For how long the object that is due longest has waited for a worker; 0 when none waits.",
            ),
        ),
    ),
    Chapter(
        "Processes",
        metrics.of_services,
        ("service",),
        (
            Metric("atoll_services_alive", "alive", "Processes that were heard of within 45 seconds."),
            Metric(
                "atoll_service_seen_timestamp_seconds",
                "seen_at",
                "When any of them was heard of last. A worker is heard of when the broker brought it something.",
            ),
        ),
    ),
    Chapter(
        "Processes by name, those heard of within the last hour",
        metrics.of_processes,
        ("service", "name"),
        (Metric("atoll_process_seen_timestamp_seconds", "seen_at", "When this process was heard of last."),),
    ),
    Chapter(
        "Hosts",
        metrics.of_hosts,
        ("host",),
        (
            Metric(
                "atoll_host_reachable", "reachable", "1 while the host answered at the last look, else 0."
            ),
            Metric("atoll_host_accepts_clusters", "accepts_clusters", "1 while new clusters may go there."),
            Metric("atoll_host_seen_timestamp_seconds", "seen_at", "When the host was looked at last."),
            Metric("atoll_host_nodes", "nodes", "Nodes that were there at the last look."),
            Metric(
                "atoll_host_node_moves_running", "moving", "Nodes on their way to another pool or tenant."
            ),
        ),
    ),
    Chapter(
        "Clusters",
        metrics.of_clusters,
        ("host", "phase"),
        (
            Metric("atoll_clusters", "clusters", "Clusters by phase."),
            Metric("atoll_clusters_behind", "behind", "Clusters whose last spec is not in force yet."),
        ),
    ),
    Chapter(
        "Conditions of clusters",
        metrics.of_conditions,
        ("type", "status"),
        (Metric("atoll_cluster_conditions", "clusters", "Clusters whose condition has this status."),),
    ),
    Chapter(
        "Operations",
        metrics.of_operations,
        ("kind",),
        (
            Metric("atoll_operations_running", "running", "Changes of clusters that are under way."),
            Metric(
                "atoll_operations_oldest_running_seconds",
                "oldest_seconds",
                "How long the longest of them has been under way; 0 when there is none.",
            ),
        ),
    ),
    Chapter(
        "Tenants",
        metrics.of_tenants,
        ("suspended",),
        (Metric("atoll_tenants", "tenants", "Tenants."),),
    ),
    Chapter(
        "Findings",
        metrics.of_findings,
        ("host", "kind"),
        (
            Metric("atoll_findings_open", "open", "What is amiss on a host and was not seen put right."),
            Metric(
                "atoll_findings_oldest_open_seconds", "oldest_seconds", "For how long the oldest is open."
            ),
        ),
    ),
    Chapter(
        "Accelerators in pools",
        gpu_metrics.of_stock,
        ("host", "pool", "accelerator"),
        (
            Metric(
                "atoll_gpu_capacity_devices",
                "capacity",
                "Healthy, uncordoned devices that can be granted, as last seen.",
            ),
            Metric(
                "atoll_gpu_promised_devices",
                "promised",
                "The most that is promised on any day from today on.",
            ),
            Metric("atoll_gpu_free_devices", "free", "Devices that are promised to nobody from today on."),
            Metric("atoll_gpu_deficit_devices", "deficit", "Promised devices that the pool no longer has."),
            Metric("atoll_gpu_reserved_devices", "reserved", "Devices that admins keep from being granted."),
        ),
    ),
    Chapter(
        "Accelerators of tenants",
        gpu_metrics.of_accounts,
        ("tenant", "host", "pool", "accelerator"),
        (
            Metric("atoll_gpu_granted_devices", "granted", "Devices of grants that are in force."),
            Metric(
                "atoll_gpu_returning_devices",
                "returning",
                "Devices of grants that are over, until all of them were seen back.",
            ),
            Metric("atoll_gpu_held_devices", "held", "Devices that clusters have."),
            Metric(
                "atoll_gpu_used_devices", "used", "Devices that pods held when the host was looked at last."
            ),
        ),
    ),
    Chapter(
        "Limits of tenants",
        gpu_metrics.of_limits,
        ("tenant", "accelerator"),
        (Metric("atoll_gpu_limit_devices", "limit", "The most that may be granted, where a limit is set."),),
    ),
    Chapter(
        "Requests for accelerators",
        gpu_metrics.of_requests,
        ("accelerator", "state"),
        (
            Metric("atoll_gpu_requests_open", "open", "Requests on which somebody still has to act."),
            Metric(
                "atoll_gpu_requests_oldest_open_seconds",
                "oldest_seconds",
                "How long ago the oldest of them was made; 0 when there is none.",
            ),
        ),
    ),
    Chapter(
        "Grants",
        gpu_metrics.of_grants,
        ("accelerator", "phase"),
        (Metric("atoll_gpu_grants", "grants", "Grants that are not closed, by phase."),),
    ),
    Chapter(
        "Grants that are late",
        gpu_metrics.of_overdue,
        ("accelerator",),
        (
            Metric(
                "atoll_gpu_grants_overdue",
                "overdue",
                "Grants past the deadline of their devices' return whose devices were not seen back.",
            ),
        ),
    ),
    Chapter(
        "Ladders",
        gpu_metrics.of_ladders,
        ("accelerator", "rung"),
        (
            Metric(
                "atoll_gpu_reclaims_running",
                "clusters",
                "Clusters that give devices back, by the last step that was seen done.",
            ),
        ),
    ),
    Chapter(
        "Webhooks",
        metrics.of_webhooks,
        (),
        (
            Metric("atoll_webhooks_sending", "sending", "Webhooks that are sent what happens."),
            Metric("atoll_webhooks_failing", "failing", "Of these, those whose last attempt failed."),
            Metric(
                "atoll_webhooks_given_up",
                "given_up",
                "Webhooks that are sent nothing any more: they failed for days.",
            ),
            Metric("atoll_webhook_deliveries_waiting", "waiting", "Deliveries that are still tried."),
            Metric(
                "atoll_webhook_deliveries_oldest_waiting_seconds",
                "oldest_seconds",
                "How long ago the oldest of them was to be sent first; 0 when there is none.",
            ),
            Metric(
                "atoll_webhook_deliveries_failed", "failed", "Deliveries given up, of the last seven days."
            ),
        ),
    ),
    Chapter(
        "Events",
        metrics.of_events,
        (),
        (
            Metric("atoll_events_total", "events", "Events of all tenants and the platform."),
            Metric("atoll_events_waiting", "waiting", "Events that were not handed over to webhooks yet."),
        ),
    ),
    Chapter(
        "The audit log",
        metrics.of_audit,
        (),
        (
            Metric("atoll_audit_rows_total", "rows", "Rows of the audit log."),
            Metric("atoll_audit_unsigned_rows", "unsigned", "Rows behind the last signed head."),
            Metric("atoll_audit_signed_timestamp_seconds", "signed_at", "When a head was signed last."),
            Metric(
                "atoll_audit_checked_timestamp_seconds", "checked_at", "When all of it was looked at last."
            ),
            Metric(
                "atoll_audit_faults", "faults", "Faults of the chain that the last look at all of it found."
            ),
        ),
    ),
)


class DatabaseCollector(Collector):
    """Reads each chapter once."""

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """All metrics with their samples; raises what the database raises."""
        for chapter in CHAPTERS:
            rows = chapter.read()
            for metric in chapter.metrics:
                yield metric.family(rows, chapter.labels)


def text() -> bytes:
    """All of it, as Prometheus reads it."""
    registry = CollectorRegistry()
    registry.register(DatabaseCollector())
    return generate_latest(registry)


def _word(label: object) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)
