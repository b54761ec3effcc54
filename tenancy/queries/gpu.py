"""Which GPU nodes let containers out, what cures them, and whom it concerns today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenancy.queries import advisories
from tenancy.queries.clock import now
from tenancy.rules import nodes
from tenancy.rules.gpu import LABEL, judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from django.db.models import QuerySet

    from tenancy.enums import GpuComponent, GpuVerdict
    from tenancy.models import HostCluster
    from tenancy.rules.advisories import Advisories
    from tenancy.rules.gpu import Finding, Found, GpuFacts, Tenancy
    from tenancy.rules.nodes import NodeFacts


@dataclass(frozen=True)
class Part:
    """A component of a node's GPU software; ``found`` is ``None`` when nothing tells of it."""

    component: GpuComponent
    found: Found | None


@dataclass(frozen=True)
class Cure:
    """What to upgrade, and at least to what."""

    component: GpuComponent
    to: str


@dataclass(frozen=True)
class NodeExposure:
    """A node with accelerators, and what is to be thought of it."""

    name: str
    resources: dict[str, int]
    verdict: GpuVerdict
    why: str
    in_force: str
    """The verdict that the host had on the node when it was last looked at; empty for none: closed."""
    stack: tuple[Part, ...]
    cdi: bool | None
    findings: tuple[Finding, ...]
    upgrade: tuple[Cure, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Concerned:
    """A cluster that has GPU pods on a node that is not clean, or may get some there."""

    node: str
    verdict: GpuVerdict
    tenancy: Tenancy


@dataclass(frozen=True)
class HostExposure:
    """Everything about one host."""

    host: str
    seen_at: datetime | None
    reviewed: date
    age_days: int
    """Days since somebody made sure of the list of advisories."""
    advisories: int
    fault: str
    nodes: tuple[NodeExposure, ...]
    tenants: tuple[Concerned, ...]


def with_nodes(rows: QuerySet[HostCluster]) -> QuerySet[HostCluster]:
    """Hosts with what ``exposure`` reads of each."""
    return rows.prefetch_related("nodes")


def exposure(host: HostCluster) -> HostExposure:
    """As the host was last seen, judged by the advisories of this moment."""
    known = advisories.load()
    seen = [nodes.from_json(node.facts) for node in host.nodes.all()]
    judged = tuple((n, n.gpu, _node(n, n.gpu, known)) for n in seen if n.gpu is not None)
    return HostExposure(
        host=host.name,
        seen_at=host.seen_at,
        reviewed=known.reviewed,
        age_days=max(0, (now().date() - known.reviewed).days),
        advisories=len(known.entries),
        fault=known.fault,
        nodes=tuple(found for _, _, found in judged),
        tenants=tuple(
            Concerned(node.name, found.verdict, one) for node, gpu, found in judged for one in gpu.tenancies
        ),
    )


def _node(node: NodeFacts, gpu: GpuFacts, known: Advisories) -> NodeExposure:
    judgement = judge(gpu, known)
    return NodeExposure(
        name=node.name,
        resources=node.resources,
        verdict=judgement.verdict,
        why=judgement.why,
        in_force=node.labels.get(LABEL, ""),
        stack=tuple(_stack(gpu)),
        cdi=gpu.cdi,
        findings=judgement.findings,
        upgrade=tuple(Cure(component, to) for component, to in judgement.upgrade),
        notes=gpu.notes,
    )


def _stack(gpu: GpuFacts) -> Iterator[Part]:
    for component, found in gpu.parts().items():
        yield Part(component, found)
