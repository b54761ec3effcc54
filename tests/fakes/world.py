"""A host cluster with its controllers and the tenants' clusters on it, moved on by ``tick``."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from provisioner.outcomes import LeaseLost
from provisioner.ports import (
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    RESOURCE_QUOTAS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
    Host,
    HostMisconfigured,
    Rehearsal,
    Unreachable,
)
from provisioner.reconcile import labels
from provisioner.reconcile.control_plane import CREDENTIALS
from tenancy.enums import Reason
from tenancy.rules.names import RELEASE
from tests.fakes import policies, workloads
from tests.fakes.findings import FakeAuditLog
from tests.fakes.helm import FakeHelm
from tests.fakes.kube import FakeKube, Key, Store

if TYPE_CHECKING:
    from provisioner.ports import Guard, Object, TenantCredentials
    from tenancy.rules.specs import HostAccess

GVISOR = "Linux probe 4.19.0-gvisor #1 SMP Sun Jan 10 15:06:54 PST 2016 x86_64 GNU/Linux"
RUNC = "Linux probe 6.12.1 #1 SMP x86_64 GNU/Linux"


class Crash(BaseException):
    """The worker died here: nothing of it runs any more, not even error handling of ours."""


class FakeGuard:
    """``ports.Guard`` that holds until told otherwise."""

    def __init__(self, fence: int = 1) -> None:
        self._fence = fence
        self.held = True

    @property
    def fence(self) -> int:
        return self._fence

    def check(self) -> None:
        if not self.held:
            msg = "lost"
            raise LeaseLost(msg)

    def confirm(self) -> None:
        self.check()

    def left(self) -> float:
        return 60.0


@dataclass
class World:
    """Everything outside Atoll; a test changes its fields to bring trouble about."""

    host: Store = field(default_factory=Store)
    audit: FakeAuditLog = field(default_factory=FakeAuditLog)
    tenants: dict[str, Store] = field(default_factory=dict)
    """By namespace on the host."""
    asleep: dict[str, Store] = field(default_factory=dict)
    """Of control planes without a pod: what they store is kept."""
    away: str = ""
    """Why the host does not answer."""
    building: str = ""
    misconfigured: str = ""
    kernel: str = GVISOR
    reached: dict[str, str] = field(default_factory=lambda: {"fellow": "open"})
    """How the packets of a probe fare, by what they are sent to; all else does not answer."""
    certificate: bytes = b"client-certificate"
    """Of the platform's key to a tenant's API."""
    broken: set[str] = field(default_factory=set)
    """Names of workloads in tenants' clusters whose pods do not get ready."""
    pod_trouble: Object = field(default_factory=dict)
    """Status of the control plane's pod in place of a healthy one."""
    crash_at: int = 0
    """The point at which the worker dies; 0 for never."""
    dead: bool = False
    """Set by the crash, cleared by whoever starts the worker again."""
    points: int = 0
    helm_fault: Exception | None = None
    rendered: list[Object] = field(default_factory=list)
    """What helm/host makes of this host."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        policies.install(self.host)

    def point(self) -> None:
        """A place between two effects, where the worker may die."""
        self.points += 1
        if self.points == self.crash_at:
            self.dead = True
        if self.dead:
            raise Crash

    @property
    def left(self) -> dict[Key, Object]:
        """What is on the host beside what its admin installed."""
        return {k: o for k, o in self.host.objects.items() if not k[0].startswith("validatingadmission")}

    def hosts(self) -> FakeHosts:
        return FakeHosts(self)

    def tenant_apis(self) -> FakeTenants:
        return FakeTenants(self)

    def tick(self) -> None:
        """Lets every controller act once."""
        for name in self.host.names(NAMESPACES):
            seen = self.host.seen(NAMESPACES, name)
            if seen and "deletionTimestamp" in seen["metadata"]:
                self.host.drop_namespace(name)
                self.tenants.pop(name, None)
            else:
                self._control_plane(name)
                self._canaries(name)
        for (plural, _, _), quota in self.host.objects.items():
            if plural == RESOURCE_QUOTAS.plural:
                quota["status"] = {"hard": dict(quota["spec"]["hard"])}
        for store in self.tenants.values():
            self._tenant(store)

    def _control_plane(self, namespace: str) -> None:
        name = f"{RELEASE}-0"
        where = {"name": name, "namespace": namespace, "labels": dict(labels.CONTROL_PLANE)}
        if self.host.seen(STATEFUL_SETS, RELEASE, namespace) is None:
            self.host.drop(PODS, name, namespace)
            self.host.drop(SECRETS, CREDENTIALS, namespace)
            self.tenants.pop(namespace, None)
        elif self._asleep(namespace):
            self.host.drop(PODS, name, namespace)
            if namespace in self.tenants:
                self.asleep[namespace] = self.tenants.pop(namespace)
        elif self.host.seen(PODS, name, namespace) is None:
            self.host.put(PODS, {"metadata": where, "spec": {}, "status": {"phase": "Pending"}})
        elif self.pod_trouble:
            self.host.put(PODS, {"metadata": where, **self.pod_trouble})
        else:
            running = {
                "containerStatuses": [{"name": "syncer", "state": {"running": {}}}],
                "phase": "Running",
            }
            self.host.put(PODS, {"metadata": where, "spec": {}, "status": running})
            parts = {**{k: k.encode() for k in _PARTS}, "client-certificate": self.certificate}
            data = {k: b64encode(v).decode() for k, v in parts.items()}
            self.host.put(SECRETS, {"metadata": {"name": CREDENTIALS, "namespace": namespace}, "data": data})
            if namespace not in self.tenants:
                self.tenants[namespace] = self.asleep.pop(namespace, _new_tenant())

    def _canaries(self, namespace: str) -> None:
        pod = self.host.seen(PODS, "atoll-canary-tries", namespace)
        if pod is not None:
            tries = _TRY.findall(pod["spec"]["containers"][0]["command"][-1])
            lines = [f"net {what} {ip}:{port} {self.reached.get(what, 'silent')}" for what, ip, port in tries]
            self.host.logs["atoll-canary-tries"] = "\n".join([*lines, "end"])

    def _asleep(self, namespace: str) -> bool:
        plane = self.host.seen(STATEFUL_SETS, RELEASE, namespace)
        return plane is not None and plane["spec"].get("replicas") == 0

    def _tenant(self, store: Store) -> None:
        coredns = {"metadata": {"name": "coredns", "namespace": "kube-system"}}
        available = {"conditions": [{"type": "Available", "status": "True"}]}
        known = store.seen(DEPLOYMENTS, "coredns", "kube-system")
        store.put(DEPLOYMENTS, {**coredns, "status": available if known else {}})
        workloads.tick(store, self.broken)
        for name in store.names(PODS, "atoll-system"):
            pod = store.seen(PODS, name, "atoll-system")
            if pod is not None:
                ended = {"terminated": {"exitCode": 0, "message": self.kernel}}
                pod["status"] = {
                    "phase": "Succeeded",
                    "containerStatuses": [{"name": "probe", "state": ended}],
                }


_TRY = re.compile(r"^try (\S+) (\S+) (\d+) &$", re.MULTILINE)
_PARTS = ("certificate-authority", "client-certificate", "client-key")


def _new_tenant() -> Store:
    store = Store()
    for name in ("default", "kube-system"):
        store.put(NAMESPACES, {"metadata": {"name": name}})
    return store


class HostKube(FakeKube):
    """A host's API server, whose quota controller is quick and whose policies are in force."""

    def rehearse(self, kind: Any, body: Object) -> Rehearsal:
        plain = super().rehearse(kind, body)
        namespace = self._store.seen(NAMESPACES, body["metadata"]["namespace"])
        if kind is not PODS or plain.made is None or namespace is None:
            return plain
        judged = policies.judge(plain.made, namespace, self._store.lenient)
        if judged.made is not None and self._full(namespace["metadata"]["name"]):
            return Rehearsal(None, "pods is forbidden: exceeded quota: full")
        return judged

    def _full(self, namespace: str) -> bool:
        """A quota judges last, as a real API server's does."""
        quotas = (o for k, o in self._store.objects.items() if k[:2] == (RESOURCE_QUOTAS.plural, namespace))
        return any(quota["spec"]["hard"].get("pods") == "0" for quota in quotas)

    def apply(self, kind: Any, body: Object) -> Object:
        seen = super().apply(kind, body)
        if kind is SERVICES:
            seen["spec"].setdefault("clusterIP", "10.96.0.77")
        if kind is RESOURCE_QUOTAS:
            stored = self._store.objects[
                ("resourcequotas", body["metadata"]["namespace"], body["metadata"]["name"])
            ]
            stored["status"] = {"hard": dict(body["spec"]["hard"])}
        return seen


class FakeHosts:
    """``ports.Hosts`` that opens the one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def open(self, access: HostAccess, guard: Guard) -> Host:
        world = self._world
        if world.misconfigured:
            raise HostMisconfigured(world.misconfigured)
        store = world.host
        store.refuse = _away(world.away) if world.away else store.refuse
        helm = FakeHelm(store, guard, world.point)
        helm.fault, helm.documents = world.helm_fault, world.rendered
        return Host(HostKube(store, guard, point=world.point), helm, world.audit)

    def starting(self, access: HostAccess) -> str:
        return self._world.building


def _away(why: str) -> Any:
    return lambda _verb, _key: Unreachable(why, Reason.HOST_UNREACHABLE)


class FakeTenants:
    """``ports.Tenants``: finds the tenant's cluster by its namespace, as only one is on an address."""

    def __init__(self, world: World) -> None:
        self._world = world

    def open(self, credentials: TenantCredentials, guard: Guard) -> FakeKube:
        stores = list(self._world.tenants.values())
        store = stores[0] if stores else Store(refuse=_away("connection refused"))
        return FakeKube(store, guard, point=self._world.point)
