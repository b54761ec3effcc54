"""One look at a host cluster: whether it answers, and what it offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Fault, Wait
from provisioner.ports import (
    DEVICE_CLASSES,
    ENDPOINT_SLICES,
    NODES,
    RUNTIME_CLASSES,
    SERVICE_CIDRS,
    STORAGE_CLASSES,
    HostMisconfigured,
    Unreachable,
)
from provisioner.reconcile import gpu, gpu_gate, nodes, runtime_classes
from provisioner.reconcile.addresses import pair
from tenancy.enums import ConditionStatus, Reason
from tenancy.rules import survey
from tenancy.rules.specs import HostFacts, HostObservation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.ports import Guard, Hosts, Kube, Object
    from tenancy.rules.advisories import Advisories
    from tenancy.rules.nodes import NodeFacts
    from tenancy.rules.specs import HostAccess, PlacedCluster

WELL: Final = 30.0
"""Seconds between looks at a host that answers."""
ILL: Final = 2.0
"""Seconds between looks at one that does not."""
_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"


def look(
    access: HostAccess,
    hosts: Hosts,
    guard: Guard,
    known: Advisories,
    placed: Iterable[PlacedCluster],
) -> tuple[HostObservation, Wait]:
    """What was seen, and when to look again; a host is never looked at for the last time.

    The nodes are labelled with what ``known`` says of their GPU software; ``placed`` are the host's clusters.
    """
    try:
        kube = hosts.open(access, guard).kube
        facts, found = discover(kube, access.workload_selector)
        found = gpu_gate.keep(kube, found, known, placed)
    except Fault as fault:
        seen = _trouble(access, hosts, fault)
        return seen, Wait(ILL, seen.reason, seen.message)
    if not survey.landing(found, access.workload_selector):
        return _without_nodes(access, found)
    message = f"Kubernetes {facts.version}, {facts.ready_nodes} nodes ready"
    seen = HostObservation(ConditionStatus.TRUE, Reason.AS_WANTED, message, facts, found)
    return seen, Wait(WELL, seen.reason, message)


def discover(kube: Kube, workloads: Mapping[str, str]) -> tuple[HostFacts, tuple[NodeFacts, ...]]:
    """What the host offers and what its nodes are, read afresh; ``workloads`` selects the nodes for pods."""
    storage = kube.find(STORAGE_CLASSES)
    listed = kube.find(NODES)
    found = gpu.inventory(kube, [nodes.facts(node) for node in listed])
    classes = {c["metadata"]["name"]: runtime_classes.facts(c) for c in kube.find(RUNTIME_CLASSES)}
    version = kube.version()
    facts = HostFacts(
        version=version,
        runtime_classes=classes,
        storage_classes=tuple(sorted(c["metadata"]["name"] for c in storage)),
        default_storage_class=next(iter(sorted(c["metadata"]["name"] for c in storage if _default(c))), ""),
        service_cidrs=tuple(_service_cidrs(kube)),
        api_addresses=tuple(sorted(_api_addresses(kube))),
        ready_nodes=sum(node.ready for node in found),
        accelerators=tuple(sorted({name for node in found for name in node.resources})),
        device_classes=tuple(sorted(c["metadata"]["name"] for c in kube.find(DEVICE_CLASSES))),
        node_addresses=tuple(sorted(nodes.addresses(listed))),
        pod_cidrs=tuple(sorted(nodes.pod_cidrs(listed))),
        sandboxes=survey.survey(survey.landing(found, workloads), classes, version),
    )
    return facts, found


def _trouble(access: HostAccess, hosts: Hosts, fault: Fault) -> HostObservation:
    building = hosts.starting(access) if isinstance(fault, Unreachable | HostMisconfigured) else ""
    if building:
        return HostObservation(ConditionStatus.FALSE, Reason.HOST_STARTING, building)
    return HostObservation(ConditionStatus.FALSE, fault.reason, fault.message)


def _without_nodes(access: HostAccess, found: tuple[NodeFacts, ...]) -> tuple[HostObservation, Wait]:
    """Its nodes are still to come, or all have gone: what was known of the host stays."""
    wanted = " with " + ", ".join(f"{k}={v}" for k, v in access.workload_selector.items())
    message = (
        f"the host has no untainted node{wanted if access.workload_selector else ''} for tenants' pods:"
        " it is looked at again every other second; an admin adds one, or corrects spec.workloadSelector"
    )
    seen = HostObservation(ConditionStatus.FALSE, Reason.HOST_MISCONFIGURED, message, nodes=found)
    return seen, Wait(ILL, seen.reason, message)


def _service_cidrs(kube: Kube) -> Iterator[str]:
    """The default range first; hosts before 1.33 do not tell theirs."""
    found = kube.find(SERVICE_CIDRS)
    for item in sorted(found, key=lambda i: (i["metadata"]["name"] != "kubernetes", i["metadata"]["name"])):
        yield from item["spec"]["cidrs"]


def _api_addresses(kube: Kube) -> set[str]:
    """Of the host's own API, behind its Service: network policies judge after translation."""
    found: set[str] = set()
    for part in kube.find(ENDPOINT_SLICES, "default", labels="kubernetes.io/service-name=kubernetes"):
        ports = [p["port"] for p in part.get("ports") or [] if p.get("port")]
        ips = [ip for end in part.get("endpoints") or [] for ip in end["addresses"]]
        found |= {pair(ip, port) for ip in ips for port in ports}
    return found


def _default(storage_class: Object) -> bool:
    return bool((storage_class["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true")
