"""The contract between what people write, what Atoll keeps and what the provisioner reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tenancy.enums import Sandbox, Trust
from tenancy.rules import runtimes
from tenancy.rules.runtimes import NO_OVERHEAD

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from tenancy.enums import (
        AccessState,
        ConditionStatus,
        Exposure,
        IsolationModel,
        Persistence,
        Reason,
        Role,
        StepState,
    )
    from tenancy.rules.add_on_states import AddOnState
    from tenancy.rules.add_ons import AddOn
    from tenancy.rules.allocations import Step
    from tenancy.rules.conditions import Condition
    from tenancy.rules.drift import Established
    from tenancy.rules.nodes import NodeFacts
    from tenancy.rules.runtimes import Overhead, RuntimeClass, SandboxFacts
    from tenancy.rules.versions import Range


@dataclass(frozen=True)
class Resources:
    """What a tenant's pods may use in all; the control plane's own needs come on top."""

    cpu: Decimal
    """Cores."""
    memory: Decimal
    """Bytes."""
    storage: Decimal
    """Bytes of persistent volumes."""
    pods: int


@dataclass(frozen=True)
class TemplateWish:
    """The template that a spec stands on."""

    name: str
    versions: Range
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterSpec:
    """A parsed spec: ``None`` where the writer left the choice to Atoll."""

    kubernetes_version: str | None = None
    model: IsolationModel | None = None
    sandbox: Sandbox | None = None
    pool: str | None = None
    """A dedicated node pool of the tenant."""
    resources: dict[str, Decimal] = field(default_factory=dict)
    persistence: Persistence | None = None
    deletion_protection: bool = False
    accelerators: dict[str, int] = field(default_factory=dict)
    """Class → how many devices."""
    paused: bool = False
    """It sleeps: nothing of it runs, what it stores is kept."""
    release_accelerators_while_paused: bool = False
    """Its devices go back while it sleeps; without this they are its own all the while."""
    add_ons: dict[str, str] = field(default_factory=dict)
    """Name → version, in their order."""
    template: TemplateWish | None = None
    """As written; a spec whose template was filled in has none."""

    @property
    def releases(self) -> bool:
        """Whether it does without its devices for now; the wish for them stays written."""
        return self.paused and self.release_accelerators_while_paused

    @property
    def claims(self) -> dict[str, int]:
        """The devices that are to be its own now: class → how many."""
        return {} if self.releases else self.accelerators


@dataclass(frozen=True)
class DeviceShare:
    """Devices of one class that a cluster has, as its host knows them."""

    key: str
    """The class."""
    resource: str
    amount: int
    """What the host's quota is to be."""
    labels: dict[str, str] = field(default_factory=dict)
    """Of every node with this model."""
    held: int = 0
    """What counts; more than ``amount`` while devices are on their way back."""
    steps: tuple[Step, ...] = ()
    """By when pods that hold more are ended; what no step asks for may be held as long as its pods like."""
    rungs: dict[str, Any] = field(default_factory=dict)
    """Steps of the ladder that were seen done."""


@dataclass(frozen=True)
class EffectiveSpec:
    """What is really built: the spec with every silence filled in for this host and tenant."""

    kubernetes_version: str
    model: IsolationModel
    sandbox: Sandbox
    runtime_class: str
    """The host's RuntimeClass; empty for sandboxes that need none."""
    persistence: Persistence
    resources: Resources
    overhead: Overhead = NO_OVERHEAD
    """What the sandbox takes for each pod; the host's quota counts it."""
    pool: str = ""
    """The node pool its pods run on; empty where the host has none for them."""
    node_selector: dict[str, str] = field(default_factory=dict)
    """Labels of every node its pods may run on; empty for any."""
    add_ons: dict[str, str] = field(default_factory=dict)
    """Name → version of what is put into it."""
    tolerations: tuple[str, ...] = ()
    """Taints its pods may pass, as ``key=value:effect``."""


@dataclass(frozen=True)
class HostFacts:
    """What was discovered of a host cluster; nothing of this is a constant in code."""

    version: str
    """Of the API server, as ``v1.36.3``."""
    runtime_classes: dict[str, RuntimeClass]
    """By name."""
    storage_classes: tuple[str, ...]
    default_storage_class: str
    """Empty when the host has none."""
    service_cidrs: tuple[str, ...]
    api_addresses: tuple[str, ...]
    """Address:port pairs of the host's own API server (closed to tenants)."""
    ready_nodes: int
    accelerators: tuple[str, ...] = ()
    """Extended resources on any node: each is closed by name in a tenant's quota."""
    device_classes: tuple[str, ...] = ()
    """DRA classes: ways to a device that are closed likewise."""
    node_addresses: tuple[str, ...] = ()
    """Of every node, inside and out (closed to tenants)."""
    pod_cidrs: tuple[str, ...] = ()
    """Where all pods are; empty unless every node tells its range."""
    sandboxes: dict[Sandbox, SandboxFacts] = field(default_factory=dict)
    """What follows for each profile on the nodes that tenants' pods may land on (``rules.survey``)."""


@dataclass(frozen=True)
class HostAccess:
    """How the provisioner reaches a host cluster and how tenants reach what runs there."""

    uid: UUID
    name: str
    kubeconfig: str
    """``file:/path``, ``env:NAME`` or ``in-cluster``; never the credential itself."""
    exposure: Exposure
    client_cidrs: tuple[str, ...]
    """Where people and the workers come from, as the host's network policies see them."""
    image_prefix: str
    """Put before every image reference (a mirror); empty for none."""
    control_plane_selector: dict[str, str]
    """Node labels for tenants' control planes; empty for any node."""
    workload_selector: dict[str, str]
    """Node labels for tenants' pods; empty for any node."""
    progress_file: str
    """A JSON file that tells how far the host itself is being built; may be empty."""
    facts: HostFacts | None
    allowed_registries: tuple[str, ...] = ()
    """Where tenants' images may come from, as ``ghcr.io`` or ``docker.io/library``; empty for anywhere."""
    require_digests: bool = False
    """Whether tenants' images are named by digest."""
    audit_log: str = ""
    """``file:/path`` of its API server's audit log as the workers read it; empty for none."""
    guard_rails: Mapping[str, Established] = field(default_factory=dict)
    """What of ``helm/host`` was seen in place, by kind and name."""
    generation: int = 1
    """Of the registration."""


@dataclass(frozen=True)
class DesiredCluster:
    """Everything one pass needs to know of what is wanted."""

    uid: UUID
    tenant: str
    name: str
    namespace: str
    generation: int
    deleting: bool
    ever_ready: bool
    host: HostAccess
    effective: EffectiveSpec | None
    """``None`` until the host's facts are known, or when it does not offer what is asked."""
    conditions: tuple[Condition, ...]
    endpoint: str
    refusal: str = ""
    """Why the host does not offer it (any more), and what to do."""
    trust: Trust = Trust.UNTRUSTED
    quarantined: bool = False
    paused: bool = False
    """It is to sleep."""
    access_epoch: int = 0
    """Credentials of an earlier one must be dead before access is offered."""
    guard_rails: Mapping[str, Established] = field(default_factory=dict)
    """What was seen in place in the host's namespace, by kind and name."""
    drifted: frozenset[str] = frozenset()
    """Those of them with an open finding."""
    devices: tuple[DeviceShare, ...] = ()
    """By class; one with amount 0 is on its way back."""
    add_ons: tuple[AddOn, ...] = ()
    """What is put into it."""
    add_ons_seen: tuple[AddOnState, ...] = ()
    """Whether these run, as it was last seen."""
    awaiting_approval: bool = False
    """It asks for more devices than it has."""

    @property
    def waits_for_approval(self) -> bool:
        """Nothing of it is built yet, and nothing is to be; one that was built goes on with what it has."""
        asks = self.awaiting_approval and not self.ever_ready
        return asks and not self.deleting and not self.paused


@dataclass(frozen=True)
class PlacedCluster:
    """A cluster and where on its host it is."""

    tenant: str
    cluster: str
    namespace: str
    trust: Trust
    selector: dict[str, str]
    """Node labels that its pods need."""


@dataclass(frozen=True)
class StepReport:
    """How one step of a pass went, for the operation's list of steps."""

    name: str
    state: StepState
    message: str = ""
    # When it was looked at is no news by itself.
    began: datetime | None = field(default=None, compare=False)
    """``None`` for a step that was not reached."""
    ended: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Observation:
    """What one pass saw."""

    conditions: tuple[Condition, ...]
    steps: tuple[StepReport, ...] = ()
    clean: bool = False
    """Every step was done: only then ``observed_generation`` moves."""
    generation: int = 0
    """The generation that the pass worked on."""
    endpoint: str = ""
    """The tenant API's address; empty leaves what is known."""
    gone: bool = False
    """Teardown proved that nothing is left on the host."""
    sandbox: Sandbox | None = None
    """What the pass built with: a choice left to Atoll is made once."""
    guard_rails: Mapping[str, Established] | None = None
    """All that are in place; ``None`` leaves what is known."""
    add_ons: tuple[AddOnState, ...] | None = None
    """Whether each runs; ``None`` leaves what is known."""


@dataclass(frozen=True)
class HostObservation:
    """What one look at a host cluster saw."""

    status: ConditionStatus
    reason: Reason
    message: str
    facts: HostFacts | None = None
    """``None`` leaves what is known."""
    nodes: tuple[NodeFacts, ...] | None = None
    """All of them; ``None`` leaves what is known."""
    guard_rails: Mapping[str, Established] | None = None
    """All of ``helm/host`` that are in place; ``None`` leaves what is known."""
    generation: int = 0
    """Of the registration by which it was looked at."""


@dataclass(frozen=True)
class DesiredAccess:
    """A kubeconfig somebody waits for."""

    uid: UUID
    cluster: DesiredCluster
    user: str
    role: Role
    lifetime: int
    """Seconds."""
    state: AccessState
    wanted_until: datetime
    """Nobody waits any longer after this."""


@dataclass(frozen=True)
class Neighbour:
    """Another cluster of the same host, which this one must not reach."""

    name: str
    """``tenant/cluster``."""
    namespace: str
    address: str
    """``host:port`` of its API."""


@dataclass(frozen=True)
class DesiredReport:
    """An isolation report somebody, or the schedule, asked for."""

    uid: UUID
    cluster: DesiredCluster
    started_at: datetime | None
    """When a worker first looked at it."""
    neighbour: Neighbour | None
    """``None`` when no other cluster on the host is Ready."""


def facts_to_json(facts: HostFacts) -> dict[str, Any]:
    """For the database column and the API."""
    return {
        "version": facts.version,
        "runtimeClasses": {n: runtimes.class_to_json(c) for n, c in facts.runtime_classes.items()},
        "storageClasses": list(facts.storage_classes),
        "defaultStorageClass": facts.default_storage_class,
        "serviceCIDRs": list(facts.service_cidrs),
        "apiAddresses": list(facts.api_addresses),
        "readyNodes": facts.ready_nodes,
        "accelerators": list(facts.accelerators),
        "deviceClasses": list(facts.device_classes),
        "nodeAddresses": list(facts.node_addresses),
        "podCIDRs": list(facts.pod_cidrs),
        "sandboxes": {s.value: runtimes.sandbox_to_json(found) for s, found in facts.sandboxes.items()},
    }


def facts_from_json(data: dict[str, Any]) -> HostFacts | None:
    """``None`` for a host that has not been looked at yet, or not since Atoll was updated."""
    if "sandboxes" not in data:
        return None
    return HostFacts(
        version=data["version"],
        runtime_classes={n: runtimes.class_from_json(c) for n, c in data["runtimeClasses"].items()},
        storage_classes=tuple(data["storageClasses"]),
        default_storage_class=data["defaultStorageClass"],
        service_cidrs=tuple(data["serviceCIDRs"]),
        api_addresses=tuple(data["apiAddresses"]),
        ready_nodes=data["readyNodes"],
        accelerators=tuple(data.get("accelerators", ())),
        device_classes=tuple(data.get("deviceClasses", ())),
        node_addresses=tuple(data.get("nodeAddresses", ())),
        pod_cidrs=tuple(data.get("podCIDRs", ())),
        sandboxes={Sandbox(s): runtimes.sandbox_from_json(f) for s, f in data["sandboxes"].items()},
    )
