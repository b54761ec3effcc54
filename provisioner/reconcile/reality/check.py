"""Opens and closes findings about devices, with who did it where that can be had."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from provisioner.ports import NODES, PODS, RESOURCE_QUOTAS
from provisioner.reconcile import culprit
from provisioner.reconcile.limits import QUOTA
from tenancy.enums import FindingKind
from tenancy.rules.drift import Culprit, Difference, Drift, Place
from tenancy.rules.pools import POOL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from provisioner.ports import AuditLog, Findings, Kube
    from provisioner.reconcile.reality.faults import Fault
    from provisioner.reconcile.reality.held import Held
    from tenancy.rules.nodes import NodeFacts
    from tenancy.rules.reality import Shortage

_SHORT: Final = (
    "nothing is granted there before the devices are back, or grants end: bring nodes back, or return grants"
)


@dataclass
class Check:
    """Opens and closes findings of one host."""

    host: str
    kube: Kube
    audit: AuditLog
    whoami: str
    findings: Findings
    open: Mapping[tuple[str, str], Any]
    """Namespace and subject → details."""

    def cluster(self, seen: Held, faults: Sequence[Fault]) -> None:
        """Tells what is amiss with a cluster, and what no longer is."""
        account = seen.account
        place = Place(self.host, account.namespace, account.tenant, account.cluster, account.uid)
        subjects = {f.subject for f in faults}
        for fault in faults:
            if self.open.get((account.namespace, fault.subject)) != plain(fault.details):
                who = self._who(seen, fault)
                drift = Drift(fault.kind, fault.subject, fault.details, who, fault.next_step)
                self.findings.noticed(place, drift)
        for namespace, subject in self.open:
            if namespace == account.namespace and subject not in subjects:
                self.findings.restored(place, subject)

    def pools(self, shortages: Iterable[Shortage], nodes: Iterable[NodeFacts]) -> None:
        """Tells which pools have fewer devices than are promised there."""
        place, short = Place(self.host), {f"NodePool {s.pool} {s.key}": s for s in shortages}
        listed = list(nodes)
        for subject, one in short.items():
            details = (Difference("devices", f"{one.held} promised", f"{one.capacity} there"),)
            if self.open.get(("", subject)) != plain(details):
                who = self._cordoner(one.pool, listed)
                self.findings.noticed(place, Drift(FindingKind.DEVICES_SHORT, subject, details, who, _SHORT))
        for namespace, subject in self.open:
            if not namespace and subject not in short:
                self.findings.restored(place, subject)

    def _who(self, seen: Held, fault: Fault) -> Culprit:
        witness, namespace = fault.witness or seen.quota, seen.account.namespace
        kind, name = (PODS, fault.witness["metadata"]["name"]) if fault.witness else (RESOURCE_QUOTAS, QUOTA)
        since = culprit.made_at(witness or {})
        return culprit.find(self.audit, culprit.target(kind, name, namespace), since, self.whoami, witness)

    def _cordoner(self, pool: str, nodes: Iterable[NodeFacts]) -> Culprit:
        """Who wrote last on a node of the pool that takes no pods."""
        for node in nodes:
            if node.labels.get(POOL) == pool and not node.schedulable:
                seen = self.kube.get(NODES, node.name)
                since = culprit.made_at(seen or {})
                target = culprit.target(NODES, node.name, "")
                return culprit.find(self.audit, target, since, self.whoami, seen)
        return Culprit()


def plain(details: Iterable[Difference]) -> list[dict[str, str]]:
    """As findings keep them."""
    return [asdict(one) for one in details]
