"""Keeps the verdict on each node's GPU software on the node, and tells whose clusters a bad one concerns.

The host itself refuses untrusted tenants' pods that do not select clean nodes (helm/host, policy
atoll-gpu-gate), so the gate holds while Atoll is down; a node without the label is closed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provisioner.ports import NAMESPACES, NODES, PODS, RESOURCE_QUOTAS, Refused
from provisioner.reconcile import labels
from provisioner.reconcile.limits import QUOTA
from provisioner.reconcile.pods import ended
from provisioner.reconcile.reclaim.holders import asked
from tenancy.enums import GpuVerdict, Trust
from tenancy.rules import quantities
from tenancy.rules.gpu import LABEL, Tenancy, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.ports import Kube, Object
    from tenancy.rules.advisories import Advisories
    from tenancy.rules.nodes import NodeFacts
    from tenancy.rules.specs import PlacedCluster

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Use:
    """What the host says of one cluster's accelerators."""

    cluster: PlacedCluster
    quota: dict[str, str]
    """``requests.nvidia.com/gpu`` → how many it may have; a name that is missing has no limit."""
    pods: tuple[Object, ...]
    """Those with extended resources that have a node."""
    unread: str = ""


def keep(
    kube: Kube, nodes: Iterable[NodeFacts], known: Advisories, clusters: Iterable[PlacedCluster]
) -> tuple[NodeFacts, ...]:
    """The nodes with their verdict for a label, and those that are not clean with the tenants they concern."""
    judged = [(n, judge(n.gpu, known).verdict if n.gpu is not None else None) for n in nodes]
    labelled = [(_labelled(kube, node, verdict), verdict) for node, verdict in judged]
    bad = any(verdict not in {None, GpuVerdict.CLEAN} for _, verdict in labelled)
    uses = [use for one in clusters if (use := _use(kube, one)) is not None] if bad else []
    return tuple(
        node if verdict in {None, GpuVerdict.CLEAN} else _with_tenancies(node, uses)
        for node, verdict in labelled
    )


def _labelled(kube: Kube, node: NodeFacts, verdict: GpuVerdict | None) -> NodeFacts:
    wanted = None if verdict is None else verdict.value
    if node.labels.get(LABEL) == wanted:
        return node
    try:
        kube.label(NODES, node.name, {LABEL: wanted})
    except Refused as refused:
        log.warning("%s keeps its label of the GPU verdict: %s; install helm/host anew", node.name, refused)
        return node
    worn = {key: value for key, value in node.labels.items() if key != LABEL}
    return replace(node, labels=worn if wanted is None else {**worn, LABEL: wanted})


def _use(kube: Kube, cluster: PlacedCluster) -> _Use | None:
    """``None`` when it has no namespace; what cannot be read counts as the worst."""
    namespace = kube.get(NAMESPACES, cluster.namespace)
    if namespace is None:
        return None
    if labels.terminating(namespace):  # our rights in it may be gone before its pods are
        return _Use(cluster, {}, (), unread="it is being deleted")
    try:
        quota = kube.get(RESOURCE_QUOTAS, QUOTA, cluster.namespace)
        pods = kube.find(PODS, cluster.namespace)
    except Refused as refused:
        return _Use(cluster, {}, (), unread=refused.message)
    running = tuple(p for p in pods if asked(p) and not ended(p))
    return _Use(cluster, dict((quota or {}).get("status", {}).get("hard", {})), running)


def _with_tenancies(node: NodeFacts, uses: Iterable[_Use]) -> NodeFacts:
    gpu = node.gpu
    concerned = tuple(found for use in uses if (found := _tenancy(node, use)) is not None)
    return node if gpu is None else replace(node, gpu=replace(gpu, tenancies=concerned))


def _tenancy(node: NodeFacts, use: _Use) -> Tenancy | None:
    here = tuple(str(p["metadata"]["name"]) for p in use.pods if p["spec"].get("nodeName") == node.name)
    allowed = _allowed(node, use)
    if not here and not allowed and not use.unread:
        return None
    cluster = use.cluster
    words = "; ".join(_evidence(use, here, allowed))
    return Tenancy(cluster.tenant, cluster.cluster, cluster.namespace, cluster.trust, here, words)


def _allowed(node: NodeFacts, use: _Use) -> tuple[str, ...]:
    """What its quota lets it have of this node's devices; the gate holds untrusted tenants off all the same."""
    if use.cluster.trust is not Trust.TRUSTED or not _selects(use.cluster.selector, node):
        return ()
    limits = {name: use.quota.get(f"requests.{name}") for name in node.resources}
    return tuple(
        f"{name}: {'no limit' if limit is None else limit}"
        for name, limit in sorted(limits.items())
        if limit is None or quantities.parse(limit) > 0
    )


def _selects(selector: dict[str, str], node: NodeFacts) -> bool:
    return selector.items() <= node.labels.items()


def _evidence(use: _Use, here: tuple[str, ...], allowed: tuple[str, ...]) -> Iterator[str]:
    if use.unread:
        yield f"its namespace could not be read ({use.unread}), so it is taken to be concerned"
    if here:
        yield f"{len(here)} pods with devices are on the node"
    if allowed:
        yield f"the quota {QUOTA} allows {', '.join(allowed)}, and the gate does not hold trusted tenants"
