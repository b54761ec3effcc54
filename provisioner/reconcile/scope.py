"""What one pass over one cluster was given and has read; its ``record`` is what it will report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from provisioner.ports import LIMIT_RANGES, NAMESPACES, NETWORK_POLICIES, RESOURCE_QUOTAS, ROLE_BINDINGS
from provisioner.reconcile import labels
from provisioner.reconcile.record import Record
from provisioner.reconcile.watch import Watch
from provisioner.release.digest import of_objects
from tenancy.enums import ConditionType, StepState
from tenancy.rules.drift import Place
from tenancy.rules.lifecycle import summary
from tenancy.rules.specs import EffectiveSpec, Observation, StepReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta
    from pathlib import Path

    from provisioner.ports import Findings, Guard, Host, Hosts, Kind, Kube, Object, Tenants
    from provisioner.reconcile.memory import Memory
    from tenancy.enums import Sandbox
    from tenancy.grant_enums import Rung
    from tenancy.rules.add_on_states import AddOnState
    from tenancy.rules.conditions import Condition
    from tenancy.rules.drift import Established
    from tenancy.rules.specs import DesiredCluster, DeviceShare

T = TypeVar("T")
GUARD_RAILS: Final = frozenset({NAMESPACES, RESOURCE_QUOTAS, LIMIT_RANGES, NETWORK_POLICIES, ROLE_BINDINGS})
"""Kinds of which every object of ours is watched."""
_LOOKED_AT: Final = 3600.0
"""Seconds for which it is remembered when a pod was looked at first."""
_KEPT: Final = 10.0
"""Seconds for which a look at a guard rail counts while a cluster is being brought about."""


@dataclass
class Scope:
    """Given by the pass; the fields below ``# read`` are filled by the steps, in their order."""

    desired: DesiredCluster
    hosts: Hosts
    tenants: Tenants
    guard: Guard
    memory: Memory
    chart: Path
    now: Callable[[], datetime]
    pause: Callable[[float], None]
    """Seconds to let the world catch up within a pass: for what takes milliseconds only."""
    publish: Callable[[Observation], None]
    findings: Findings
    calendar: Callable[[], datetime]
    """The time that decides about grants."""
    stepped: Callable[[DeviceShare, Rung, Mapping[str, Any], int], None]
    """Notes a step of the ladder that was seen done, on what evidence, and how many devices are left; raises ``LeaseLost``."""
    # read
    _host: Host | None = None
    namespace: Object | None = None
    """The host's namespace of this cluster; ``None`` when there is none."""
    _tenant: Kube | None = None
    _watch: Watch | None = None
    endpoint: str = ""
    gone: bool = False
    refused: dict[str, str] = field(default_factory=dict)
    """Add-on → what its first object is refused with."""
    add_ons: tuple[AddOnState, ...] | None = None
    """Whether each runs; ``None`` where this pass did not look."""
    record: Record = field(init=False)

    def __post_init__(self) -> None:
        self.record = Record(self.desired.generation, self.now)

    @property
    def host(self) -> Host:
        """The host cluster, once the first step reached it."""
        return _there(self._host)

    @host.setter
    def host(self, host: Host) -> None:
        self._host = host

    @property
    def reached(self) -> bool:
        """Whether the host answered in this pass."""
        return self._host is not None

    @property
    def reached_tenant(self) -> Kube | None:
        """The tenant's API, if it answered in this pass."""
        return self._tenant

    @property
    def tenant(self) -> Kube:
        """The tenant's API, once the control plane answered."""
        return _there(self._tenant)

    @tenant.setter
    def tenant(self, tenant: Kube) -> None:
        self._tenant = tenant

    @property
    def effective(self) -> EffectiveSpec:
        """What is to be built, once the first step saw that it is known."""
        return _there(self.desired.effective)

    @property
    def incarnation(self) -> str:
        """The very namespace that was seen, not only one of its name."""
        return str(self.namespace["metadata"]["uid"]) if self.namespace else ""

    @property
    def ours(self) -> bool:
        """Whether the namespace that was seen is this cluster's: one that was is, whatever somebody did to its labels since."""
        seen, desired = self.namespace, self.desired
        known = f"{NAMESPACES.name} {desired.namespace}" in desired.guard_rails
        return seen is not None and (known or labels.ours(desired, seen))

    @property
    def stands(self) -> bool:
        """Whether it is this cluster's and not on its way out."""
        return self.namespace is not None and self.ours and not labels.terminating(self.namespace)

    @property
    def host_chart(self) -> Path:
        """``helm/host``, which lies beside the chart of a cluster."""
        return self.chart.parent / "host"

    def known(self, kind: ConditionType) -> Condition | None:
        """What earlier passes saw of this fact at the current generation."""
        found = (c for c in self.desired.conditions if c.type is kind)
        return next((c for c in found if c.observed_generation >= self.desired.generation), None)

    @property
    def watch(self) -> Watch:
        """The guard rails of the host's namespace."""
        if self._watch is None:
            desired = self.desired
            self._watch = Watch(
                place=Place(desired.host.name, desired.namespace, desired.tenant, desired.name, desired.uid),
                kube=self.host.kube,
                audit=self.host.audit,
                whoami=self.identity,
                findings=self.findings,
                now=self.now,
                known=desired.guard_rails,
                drifted=desired.drifted,
                lists=GUARD_RAILS - {NAMESPACES},
            )
        return self._watch

    def identity(self) -> str:
        """Whom the host takes us for; it stays the same as long as how we reach it does."""
        key = ("identity", self.desired.host.uid, self.desired.host.kubeconfig)
        known = self.memory.recall(*key)
        if known is None:
            known = self.host.kube.whoami()
            self.memory.remember(*key, value=known)
        return str(known)

    def keep(self, kind: Kind, body: Object) -> None:
        """Sees to a guard rail; a pass that only waits takes a look of some seconds ago for its own."""
        what, watch = self.watch.subject(kind, body), self.watch
        key = ("kept", self.incarnation, what, of_objects(body))
        lately = not self.settled and self.memory.recall(*key, within=_KEPT)
        if lately and watch.established(kind, body):
            watch.found[what] = watch.known[what]
            return
        self.memory.forget(*key)
        watch.keep(kind, body)
        self.memory.remember(*key)

    def keep_namespace(self, body: Object) -> Object:
        """The namespace as it is on the host; one that is made anew has nothing in it yet."""
        self.watch.seed(NAMESPACES, [self.namespace] if self.namespace else [])
        now = self.watch.keep(NAMESPACES, body)
        if self.namespace is None:
            self.watch.known = {}
        return now

    def stuck(self, pod: Object, after: timedelta) -> bool:
        """Whether this process has looked at a pod for so long; what the pod tells of its age is another clock's word."""
        key = ("looked at", pod["metadata"]["uid"])
        since = self.memory.recall(*key, within=_LOOKED_AT)
        if since is None:
            self.memory.remember(*key, value=self.now())
        return since is not None and self.now() - since > after

    def apply(self, kind: Kind, body: Object) -> None:
        """Applies an object of the host's namespace, unless that was done a moment ago."""
        if kind in GUARD_RAILS:
            self.keep(kind, body)
            return
        key = ("applied", self.incarnation, self.desired.access_epoch, kind, of_objects(body))
        if not self.memory.recall(*key):
            self.host.kube.apply(kind, body)
            self.memory.remember(*key)

    @property
    def settled(self) -> bool:
        """Whether everything was as wanted when it was last looked at."""
        if self.desired.paused:
            asleep = self.known(ConditionType.PAUSED)
            return asleep is not None and asleep.true
        return summary(self.desired.conditions, self.desired.generation).true

    def report(self, ahead: list[str], *, clean: bool) -> None:
        """Publishes what was seen, unless nothing of it is news; ``ahead`` are steps not reached."""
        record = self.record
        record.settle(paused=self.desired.paused)
        news = tuple(c for c in record.conditions.values() if c not in self.desired.conditions)
        steps = (*record.steps, *(StepReport(name, StepState.PENDING) for name in ahead))
        key = ("published", self.desired.uid, steps)
        rails = self._rails(clean=clean)
        add_ons = None if self.add_ons == self.desired.add_ons_seen else self.add_ons
        told = news or clean or self.gone or rails is not None or add_ons is not None
        if not told and self.memory.recall(*key):
            return
        self.publish(
            Observation(
                conditions=news,
                steps=steps,
                clean=clean,
                generation=self.desired.generation,
                endpoint=self.endpoint,
                gone=self.gone,
                sandbox=self._built(),
                guard_rails=rails,
                add_ons=add_ons,
            )
        )
        self.memory.remember(*key)

    def _built(self) -> Sandbox | None:
        """The sandbox of the namespace, once this pass has seen to it; a teardown builds nothing."""
        built = self.desired.effective if self.namespace and not self.desired.deleting else None
        return built.sandbox if built else None

    def _rails(self, *, clean: bool) -> dict[str, Established] | None:
        """What is in place now, ``None`` when that is known; only a whole pass can tell that one is no more."""
        if self._watch is None:
            return None
        whole = clean and not self.desired.quarantined and not self.desired.paused
        now = {**({} if whole else self._watch.known), **self._watch.found}
        return None if now == self.desired.guard_rails else now


def _there(value: T | None) -> T:
    if value is None:
        msg = "a step ran before the one that reads what it needs: see the order in stages"
        raise LookupError(msg)
    return value
