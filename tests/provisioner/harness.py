"""Runs real passes of the real steps against a world in memory, keeping what ``tenancy`` would keep."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from provisioner.outcomes import Fault, Stall, Transient
from provisioner.reconcile import engine, stages
from provisioner.reconcile.memory import Memory
from provisioner.reconcile.scope import Scope
from provisioner.release.state import SELECTOR, revisions
from tenancy.enums import (
    ConditionStatus,
    ConditionType,
    Exposure,
    IsolationModel,
    Persistence,
    Reason,
    Sandbox,
)
from tenancy.grant_enums import Rung
from tenancy.queries.advisories import SHIPPED
from tenancy.rules.advisories import Advisories, parse
from tenancy.rules.conditions import Condition
from tenancy.rules.lifecycle import summary
from tenancy.rules.names import host_namespace
from tenancy.rules.runtimes import RuntimeClass, SandboxFacts
from tenancy.rules.specs import DesiredCluster, EffectiveSpec, HostAccess, HostFacts, Resources
from tests.fakes.findings import FakeFindings
from tests.fakes.world import FakeGuard, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.outcomes import Outcome
    from provisioner.release.state import Revision
    from tenancy.rules.specs import DeviceShare, Observation, StepReport

ADVISORIES = Advisories(*parse(json.loads(SHIPPED.read_text())))
CHART = Path(__file__).resolve().parents[2] / "helm" / "virtual-cluster"
UID = UUID("0b5f6a52-7d1c-4d8e-9a43-3c1f7a0e9b11")
FACTS = HostFacts(
    version="v1.36.3",
    runtime_classes={"gvisor": RuntimeClass("runsc")},
    storage_classes=("local-path",),
    default_storage_class="local-path",
    service_cidrs=("10.96.0.0/16",),
    api_addresses=("172.30.0.1:6443",),
    ready_nodes=2,
    sandboxes={Sandbox.GVISOR: SandboxFacts("gvisor", nodes=2), Sandbox.NONE: SandboxFacts(nodes=2)},
)
HOST = HostAccess(
    uid=UUID("6f2ffbd5-c7bf-4be5-b760-3dfc4c1237fc"),
    name="lab",
    kubeconfig="file:/nowhere",
    exposure=Exposure.CLUSTER_IP,
    client_cidrs=("172.30.0.1/32",),
    image_prefix="",
    control_plane_selector={},
    workload_selector={},
    progress_file="",
    facts=FACTS,
)
EFFECTIVE = EffectiveSpec(
    kubernetes_version="1.36",
    model=IsolationModel.SHARED,
    sandbox=Sandbox.GVISOR,
    runtime_class="gvisor",
    persistence=Persistence.PERSISTENT,
    resources=Resources(cpu=Decimal(4), memory=Decimal(8 * 1024**3), storage=Decimal(20 * 1024**3), pods=50),
)
APPROVED = Condition(ConditionType.APPROVED, ConditionStatus.TRUE, Reason.AS_WANTED, "", 1)
"""The portal writes it together with the wish."""
WANTED = DesiredCluster(
    uid=UID,
    tenant="demo",
    name="first",
    namespace=host_namespace("demo", "first", UID),
    generation=1,
    deleting=False,
    ever_ready=False,
    host=HOST,
    effective=EFFECTIVE,
    conditions=(APPROVED,),
    endpoint="",
)

NS = WANTED.namespace


@dataclass
class Team:
    """One cluster's row, its passes, and the world they run in."""

    world: World = field(default_factory=World)
    wanted: DesiredCluster = WANTED
    memory: Memory = field(default_factory=Memory)
    guard: FakeGuard = field(default_factory=FakeGuard)
    findings: FakeFindings = field(default_factory=FakeFindings)
    steps: tuple[StepReport, ...] = ()
    observed_generation: int = 0
    gone: bool = False
    fault: Fault | None = None
    built: Sandbox | None = None
    receipts: list[dict[str, Any]] = field(default_factory=list)
    """What was seen on each ladder that ended."""

    def once(self) -> Outcome | None:
        """One pass; ``None`` when it ended with a fault, which is kept."""
        self.fault = None
        self.wanted = replace(self.wanted, drifted=frozenset(self.findings.open))
        scope = Scope(
            desired=self.wanted,
            hosts=self.world.hosts(),
            tenants=self.world.tenant_apis(),
            guard=self.guard,
            memory=self.memory,
            chart=CHART,
            now=lambda: self.world.now,
            pause=lambda _seconds: None,
            publish=self._keep,
            findings=self.findings,
            calendar=lambda: self.world.now,
            stepped=self._stepped,
        )
        try:
            return engine.reconcile(
                scope,
                stages.of(self.wanted),
                beside=stages.beside(self.wanted),
            )
        except Fault as fault:
            self.fault = fault
            return None

    def until_settled(self, passes: int = 40) -> Outcome | None:
        """Passes and the world's own moves, in turn, until the cluster is clean, stalled or gone."""
        for _ in range(passes):
            outcome = self.once()
            if self.gone or self.settled(outcome):
                return outcome
            self.world.tick()
        msg = f"not settled after {passes} passes: {self.condition(ConditionType.AVAILABLE)}, {self.fault}"
        raise AssertionError(msg)

    def settled(self, outcome: Outcome | None) -> bool:
        done = self.observed_generation == self.wanted.generation and outcome is not None
        return isinstance(outcome, Stall) or (
            done and not hasattr(outcome, "after") and not self.wanted.deleting
        )

    def restart(self) -> None:
        """A new worker process: nothing is remembered."""
        self.memory, self.guard = Memory(), FakeGuard(self.guard.fence)
        self.world.dead = False

    def delete(self) -> None:
        self.wanted = replace(self.wanted, deleting=True)

    def change(self, **effective: object) -> None:
        """A new spec."""
        made = replace(EFFECTIVE, **effective)  # type: ignore[arg-type]
        generation = self.wanted.generation + 1
        others = tuple(c for c in self.wanted.conditions if c.type is not ConditionType.APPROVED)
        approved = replace(APPROVED, observed_generation=generation)
        conditions = (approved, *others)
        self.wanted = replace(self.wanted, effective=made, generation=generation, conditions=conditions)

    def condition(self, kind: ConditionType) -> Condition | None:
        if kind is ConditionType.AVAILABLE:
            return summary(self.wanted.conditions, self.wanted.generation)
        return next((c for c in self.wanted.conditions if c.type is kind), None)

    def reason(self, kind: ConditionType) -> Reason | None:
        found = self.condition(kind)
        return found.reason if found else None

    def _stepped(self, share: DeviceShare, rung: Rung, evidence: Mapping[str, Any], left: int) -> None:
        """As ``tenancy.actions.allocations.stepped``, over the one row."""
        self.world.point()
        kept = tuple(self._climbed(one, share, rung, evidence, left) for one in self.wanted.devices)
        self.wanted = replace(self.wanted, devices=tuple(d for d in kept if d.held))
        self.world.point()

    def _climbed(
        self, one: DeviceShare, share: DeviceShare, rung: Rung, evidence: Mapping[str, Any], left: int
    ) -> DeviceShare:
        if (one.key, one.amount) != (share.key, share.amount):
            return one
        rungs = {rung.value: {"at": self.world.now.isoformat(), **evidence}, **one.rungs}
        if rung is not Rung.CONFIRM:
            return replace(one, rungs=rungs)
        self.receipts.append(rungs)
        held = max(left, one.amount)
        steps = tuple(step for step in one.steps if step.devices < held)
        return replace(one, rungs=rungs if held == one.amount else {}, held=held, steps=steps)

    def _keep(self, seen: Observation) -> None:
        self.world.point()
        if seen.gone:
            self.gone = True
        fresh = {c.type: c for c in (*self.wanted.conditions, *seen.conditions)}
        available = summary(fresh.values(), self.wanted.generation).true
        ever = self.wanted.ever_ready or (seen.clean and available)
        endpoint = seen.endpoint or self.wanted.endpoint
        rails = self.wanted.guard_rails if seen.guard_rails is None else seen.guard_rails
        self.wanted = replace(
            self.wanted,
            conditions=tuple(fresh.values()),
            ever_ready=ever,
            endpoint=endpoint,
            guard_rails=rails,
            add_ons_seen=self.wanted.add_ons_seen if seen.add_ons is None else seen.add_ons,
        )
        if seen.clean and not self.wanted.deleting:
            self.observed_generation = seen.generation
        self.steps, self.built = seen.steps, seen.sandbox or self.built
        self.world.point()


def transient(team: Team) -> bool:
    """Whether the last pass ended with a fault that will be tried again."""
    return isinstance(team.fault, Transient)


def records_of(world: World) -> tuple[Revision, ...]:
    """Helm's records in the cluster's namespace."""
    marks = dict(pair.split("=") for pair in SELECTOR.split(","))
    found = [
        o
        for k, o in world.host.objects.items()
        if k[:2] == ("secrets", NS) and marks.items() <= o["metadata"].get("labels", {}).items()
    ]
    return revisions(found)


def statuses_of(world: World) -> list[str]:
    """Oldest first, in Helm's words."""
    return [r.status.value for r in records_of(world)]
