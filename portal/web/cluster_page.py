"""What the cluster page shows, read once for the page and for its live part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from portal.web import add_on_page, isolation, presenters, progress
from tenancy import policy
from tenancy.enums import ConditionType, OperationKind, OperationState, Permission, Phase
from tenancy.errors import NotFound
from tenancy.queries import audit, cluster_devices, clusters, findings, operations, services, tenants

if TYPE_CHECKING:
    from portal.web.add_on_page import State
    from portal.web.isolation import Isolation
    from portal.web.presenters import Badge, Fact, Row
    from portal.web.progress import Progress
    from tenancy.models import AuditEvent, Finding, Operation, VirtualCluster
    from tenancy.policy import Actor
    from tenancy.queries.cluster_devices import Devices

KEPT_IN_SIGHT = 10
"""Operations and events on the page; the rest is in the API."""


@dataclass(frozen=True)
class ClusterPage:
    """One moment of one cluster, for one actor."""

    cluster: VirtualCluster
    badge: Badge
    progress: Progress
    facts: tuple[Fact, ...]
    spec: tuple[Row, ...]
    operations: tuple[Operation, ...]
    events: tuple[AuditEvent, ...]
    findings: tuple[Finding, ...]
    may_write: bool
    may_access: bool
    may_quarantine: bool
    isolation: Isolation
    add_ons: tuple[State, ...] = ()
    """What is put into it, and whether it runs."""
    lacking: tuple[Devices, ...] = ()
    """Accelerators that it asks for and has not got."""

    @property
    def version(self) -> str:
        """Changes when anything on the page does, but for the clock."""
        written = tuple((o.uid, o.state) for o in self.operations), tuple(e.pk for e in self.events)
        amiss = tuple((f.uid, f.restored_at) for f in self.findings)
        own = (
            self.cluster.uid,
            self.cluster.generation,
            self.cluster.endpoint,
            self.may_write,
            self.may_access,
            self.may_quarantine,
            self.cluster.quarantine_reason,
            self.isolation,
            self.add_ons,
            self.lacking,
            self.approval,
        )
        return presenters.version(own, self.badge, self.progress, self.facts, self.spec, written, amiss)

    @property
    def approval(self) -> str:
        """What the ledger says of accelerators that it lacks."""
        rows = (c for c in self.cluster.conditions.all() if c.type == ConditionType.APPROVED)
        return next((row.message for row in rows), "")

    @property
    def file(self) -> str:
        """The name under which a kubeconfig is downloaded."""
        return f"{self.cluster.tenant.name}-{self.cluster.name}.yaml"

    @property
    def kubectl(self) -> str:
        """Ready to paste after the download."""
        return f"kubectl --kubeconfig ~/Downloads/{self.file} get namespaces"

    @property
    def failed(self) -> bool:
        """Whether it waits for a person to press Retry."""
        return self.cluster.phase == Phase.FAILED

    @property
    def usable(self) -> bool:
        """Whether it gives out kubeconfigs."""
        return self.cluster.first_ready_at is not None and not self.cluster.deleting and not self.paused

    @property
    def paused(self) -> bool:
        """Whether it sleeps, or is to."""
        return clusters.spec(self.cluster).paused


def read(actor: Actor, tenant: str, name: str) -> ClusterPage:
    """Raises ``NotFound`` for what is not there and for what others own alike."""
    cluster = clusters.get(actor, tenant, name)
    history = operations.visible_to(actor, cluster.tenant).filter(target_uid=cluster.uid)
    done = tuple(history[:KEPT_IN_SIGHT])
    devices = cluster_devices.of_clusters([cluster]).get(cluster.uid, ())
    return ClusterPage(
        cluster=cluster,
        badge=presenters.badge(cluster.phase),
        progress=progress.of(cluster, done[0] if done else None, workers=_workers(done)),
        facts=presenters.facts(cluster),
        spec=(*presenters.spec_rows(cluster), *presenters.device_rows(devices)),
        operations=done,
        findings=tuple(findings.of_cluster(actor, cluster)[:KEPT_IN_SIGHT]),
        events=tuple(audit.of_cluster(actor, cluster)[:KEPT_IN_SIGHT]),
        may_write=policy.allows(actor, Permission.CLUSTER_WRITE, cluster.tenant),
        may_access=policy.allows(actor, Permission.CLUSTER_ACCESS, cluster.tenant),
        may_quarantine=policy.allows(actor, Permission.CLUSTER_QUARANTINE, cluster.tenant),
        isolation=isolation.of(cluster),
        add_ons=add_on_page.states(cluster),
        lacking=tuple(one for one in devices if one.granted < one.asked),
    )


def _workers(done: tuple[Operation, ...]) -> int:
    """How many are alive; asked only where something waits for one."""
    waits = bool(done) and done[0].state == OperationState.RUNNING
    return services.health().workers if waits else 0


def end(actor: Actor, tenant: str, name: str) -> Operation:
    """The deletion that ended the last cluster of this name; ``NotFound`` when there was none."""
    of_name = operations.visible_to(actor, tenants.get(actor, tenant)).filter(target_name=name)
    last = of_name.first()
    deleted = (OperationKind.DELETE, OperationState.SUCCEEDED)
    if last is None or (last.kind, last.state) != deleted:
        msg = f"there is no cluster {tenant}/{name}, or none that you may see"
        raise NotFound(msg)
    return last
