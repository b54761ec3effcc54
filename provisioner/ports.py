"""What the reconciler needs of the world, and what each call promises when it is repeated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from provisioner.outcomes import Permanent, Transient
from tenancy.enums import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from tenancy.rules.drift import Drift, Place
    from tenancy.rules.specs import HostAccess
    from tenancy.rules.webhooks import Answer

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object as its API prints it."""


@dataclass(frozen=True)
class Kind:
    """Where objects of a kind live in the API."""

    api: str
    """``v1`` or ``group/version``."""
    plural: str
    name: str


NAMESPACES: Final = Kind("v1", "namespaces", "Namespace")
NODES: Final = Kind("v1", "nodes", "Node")
PODS: Final = Kind("v1", "pods", "Pod")
EVENTS: Final = Kind("v1", "events", "Event")
SECRETS: Final = Kind("v1", "secrets", "Secret")
CONFIG_MAPS: Final = Kind("v1", "configmaps", "ConfigMap")
SERVICES: Final = Kind("v1", "services", "Service")
SERVICE_ACCOUNTS: Final = Kind("v1", "serviceaccounts", "ServiceAccount")
RESOURCE_QUOTAS: Final = Kind("v1", "resourcequotas", "ResourceQuota")
LIMIT_RANGES: Final = Kind("v1", "limitranges", "LimitRange")
VOLUMES: Final = Kind("v1", "persistentvolumes", "PersistentVolume")
CLAIMS: Final = Kind("v1", "persistentvolumeclaims", "PersistentVolumeClaim")
DEPLOYMENTS: Final = Kind("apps/v1", "deployments", "Deployment")
STATEFUL_SETS: Final = Kind("apps/v1", "statefulsets", "StatefulSet")
ENDPOINT_SLICES: Final = Kind("discovery.k8s.io/v1", "endpointslices", "EndpointSlice")
NETWORK_POLICIES: Final = Kind("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy")
SERVICE_CIDRS: Final = Kind("networking.k8s.io/v1", "servicecidrs", "ServiceCIDR")
RUNTIME_CLASSES: Final = Kind("node.k8s.io/v1", "runtimeclasses", "RuntimeClass")
GPU_POLICIES: Final = Kind("nvidia.com/v1", "clusterpolicies", "ClusterPolicy")
DEVICE_CLASSES: Final = Kind("resource.k8s.io/v1", "deviceclasses", "DeviceClass")
STORAGE_CLASSES: Final = Kind("storage.k8s.io/v1", "storageclasses", "StorageClass")
_ADMISSION: Final = "admissionregistration.k8s.io/v1"
POLICIES: Final = Kind(_ADMISSION, "validatingadmissionpolicies", "ValidatingAdmissionPolicy")
POLICY_BINDINGS: Final = Kind(
    _ADMISSION, "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"
)
MUTATIONS: Final = Kind(_ADMISSION, "mutatingadmissionpolicies", "MutatingAdmissionPolicy")
MUTATION_BINDINGS: Final = Kind(
    _ADMISSION, "mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding"
)
ROLES: Final = Kind("rbac.authorization.k8s.io/v1", "roles", "Role")
CLUSTER_ROLES: Final = Kind("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole")
ROLE_BINDINGS: Final = Kind("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding")
CLUSTER_ROLE_BINDINGS: Final = Kind(
    "rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding"
)


@dataclass(frozen=True)
class Served:
    """A kind as an API server has it."""

    kind: Kind
    namespaced: bool


HOST_RELEASE: Final = "atoll-host"
"""The name under which admins install ``helm/host``."""
HOST_NAMESPACE: Final = "kube-system"
"""The namespace of that release's records."""


class Unreachable(Transient):
    """No answer: refused, timed out, not to be found, or not speaking TLS as expected."""


class Refused(Transient):
    """401 or 403: the rights are missing, or have not reached the API server yet."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Reason.FORBIDDEN)


class Busy(Transient):
    """409, 429 or 5xx: to be tried again."""


class Rejected(Permanent):
    """400, 404 on a write, or 422: what we sent can never be accepted."""

    def __init__(self, message: str, reason: Reason = Reason.UNEXPECTED) -> None:
        super().__init__(message, reason)


class HostMisconfigured(Transient):
    """How to reach the host is not given rightly; an admin must act, then it goes on by itself."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Reason.HOST_MISCONFIGURED)


@dataclass(frozen=True)
class Rehearsal:
    """What the API server would make, or why it would not."""

    made: Object | None
    refusal: str = ""
    """In the server's words; empty when the object would be made."""


@dataclass(frozen=True)
class Token:
    """A credential that ends by itself."""

    value: str
    expires_at: datetime


class Guard(Protocol):
    """The right to change the world, asked before every side effect."""

    @property
    def fence(self) -> int:
        """Grows with each wish for the object; a pass for an older wish gives way."""

    def check(self) -> None:
        """Raises ``LeaseLost`` when the right is gone as far as is known here."""

    def confirm(self) -> None:
        """Asks the queue itself; raises ``LeaseLost`` when the right is gone."""

    def left(self) -> float:
        """Seconds for which the right holds if nobody renews it."""


class Kube(Protocol):
    """One Kubernetes API server, a host's or a tenant's; dicts in, dicts out.

    Raises ``Unreachable``, ``Refused``, ``Busy`` or ``Rejected``. A write that timed
    out may have happened: look again, never assume.
    """

    def get(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """One object; ``None`` when it is not there."""

    def find(
        self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = "", brief: bool = False
    ) -> list[Object]:
        """All that match; ``brief`` leaves all but metadata out. An unknown kind has no objects."""

    def served(self, api: str, kind: str) -> Served | None:
        """Where objects of a kind live; ``None`` when the server knows none such."""

    def apply(self, kind: Kind, body: Object) -> Object:
        """Makes the object carry what ``body`` says, leaving other fields alone; repeating changes nothing."""

    def create(self, kind: Kind, body: Object) -> bool:
        """Makes the object; False when one of that name is there already."""

    def rehearse(self, kind: Kind, body: Object) -> Rehearsal:
        """What would come of a ``create``: judged in full, nothing is written."""

    def annotate(self, kind: Kind, name: str, annotations: Mapping[str, str], namespace: str = "") -> None:
        """Sets annotations and leaves the rest alone."""

    def label(self, kind: Kind, name: str, labels: Mapping[str, str | None], namespace: str = "") -> None:
        """Sets labels, takes those away that are ``None``, and leaves the rest alone."""

    def merge(self, kind: Kind, name: str, body: Object, namespace: str = "") -> Object:
        """Lays ``body`` over the object: maps are merged, None takes a key out, lists are replaced.

        With ``metadata.resourceVersion`` in it only over that very state, else ``Busy``.
        """

    def delete(self, kind: Kind, name: str, namespace: str = "", *, uid: str = "", grace: int = -1) -> bool:
        """Starts the end of an object; False when it was not there.

        With ``uid`` only that very object, else ``Busy``; ``grace`` in seconds, -1 for the object's own.
        """

    def evict(self, name: str, namespace: str, *, uid: str) -> bool:
        """Asks for a pod's end as its disruption budgets allow it; False while they forbid it.

        True, too, when that very pod is not there any more.
        """

    def token(self, account: str, namespace: str, seconds: int) -> Token:
        """A fresh credential of a ServiceAccount; each call mints another."""

    def log(self, pod: str, namespace: str) -> str:
        """What a pod of one container has said so far, at most 64 KiB; empty while it has not begun or is not there."""

    def version(self) -> str:
        """The API server's version, as ``v1.36.3``."""

    def ready(self) -> str:
        """Empty when the API server calls itself ready, else what it says is not."""

    def whoami(self) -> str:
        """The name this client is known by."""


class Helm(Protocol):
    """Helm on one host; at most one runs per namespace, under the lease, and dies with its worker.

    Raises ``Unreachable``, ``Refused``, ``Busy`` (failed, may be tried again) or
    ``Rejected`` (the chart, its values, or objects there that are not the release's).
    """

    def install(self, namespace: str, values: Mapping[str, Any], digest: str) -> None:
        """Installs or upgrades the release and labels the revision with ``digest``; does not wait."""

    def rollback(self, namespace: str, revision: int) -> None:
        """Makes an earlier revision the current one again, as a new revision."""

    def uninstall(self, namespace: str) -> None:
        """Removes the release and its records; nothing when there is none."""

    def render(
        self, chart: Path, values: Mapping[str, Any], version: str, offers: Sequence[str]
    ) -> list[Object]:
        """What a chart makes of these values for a host of this version; asks no host.

        ``offers`` are kinds, as ``group/version/Kind``, that the host has beside those that all have.
        """


@dataclass(frozen=True)
class Act:
    """One write that the host's API server carried out, as its audit log tells it."""

    user: str
    """Printable, at most 300 characters."""
    verb: str
    at: datetime
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """An object as an audit log names it."""

    group: str
    resource: str
    name: str
    namespace: str = ""


class AuditLog(Protocol):
    """What a host's API server wrote down; it may be missing, cut off, rotated or full of junk."""

    def last_write(self, target: Target, *, since: datetime, but: str) -> Act | None:
        """The youngest successful write on an object by anybody ``but`` this user.

        ``None`` when there is none since, or the log cannot be had or is too long to
        be read within its bounds. Never raises for what the log holds.
        """


class NoAuditLog:
    """``AuditLog`` of a host whose log cannot be had."""

    def last_write(self, target: Target, *, since: datetime, but: str) -> Act | None:
        """Nobody knows."""


@dataclass(frozen=True)
class Host:
    """One host cluster, ready to be talked to."""

    kube: Kube
    helm: Helm
    audit: AuditLog = field(default_factory=NoAuditLog)


class Findings(Protocol):
    """Where what is amiss is written down, under the pass's lease; raises ``LeaseLost``."""

    def noticed(self, place: Place, drift: Drift) -> None:
        """Opens a finding; one that is open already is only brought up to date."""

    def restored(self, place: Place, subject: str) -> None:
        """Closes it; nothing when there is none."""


class Hosts(Protocol):
    """Opens host clusters by what is registered of them."""

    def open(self, access: HostAccess, guard: Guard) -> Host:
        """Clients for the host; raises ``HostMisconfigured``. Says nothing to it yet."""

    def starting(self, access: HostAccess) -> str:
        """How far a host that does not answer yet is being built; empty when nobody builds it."""


@dataclass(frozen=True)
class TenantCredentials:
    """The platform's own key to a tenant's API: bytes from its Secret, address from our own data."""

    address: str
    """``host:port``."""
    authority: bytes
    certificate: bytes
    key: bytes
    server_name: str = ""
    """What the served certificate is checked for, where it is not the address."""


class Tenants(Protocol):
    """Opens tenants' API servers, which may be hostile: no redirects, bounded time and size."""

    def open(self, credentials: TenantCredentials, guard: Guard) -> Kube:
        """A client for the tenant's API; says nothing to it yet."""


class Senders(Protocol):
    """Hands messages to receivers that others named, which may be hostile."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What came of one attempt, within seconds; sent twice it is the receiver's to notice, by its id."""
