"""How far a cluster is, in words: what it waits for now and what happens next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from portal.web import words
from portal.web.words import Tone
from tenancy.enums import (
    ConditionStatus,
    ConditionType,
    OperationKind,
    OperationState,
    Phase,
    Reason,
    StepState,
)
from tenancy.queries import clusters
from tenancy.rules.conditions import BUILD_ORDER, BY_STEPS

if TYPE_CHECKING:
    from tenancy.models import ClusterCondition, Operation, VirtualCluster

_STEP_TONES: Final = {
    StepState.PENDING: Tone.IDLE,
    StepState.RUNNING: Tone.BUSY,
    StepState.DONE: Tone.GOOD,
    StepState.FAILED: Tone.BAD,
}

_AGAINST: Final = {
    ConditionType.QUARANTINED: ConditionStatus.TRUE,
    ConditionType.PAUSED: ConditionStatus.TRUE,
    ConditionType.ISOLATION_ATTESTED: ConditionStatus.FALSE,
}
"""Facts beside the build that keep a cluster from being available, and how they read then."""
_UNSETTLED_NEXT: Final = {
    ConditionType.QUARANTINED: "Its objects and volumes are kept. An admin lifts the quarantine or deletes the cluster.",
    ConditionType.PAUSED: "Resume wakes it. Until then it costs its host nothing but its volumes.",
    ConditionType.ISOLATION_ATTESTED: "An admin mends the named control; then ask for a new report.",
}


@dataclass(frozen=True)
class Step:
    """One step of an operation."""

    name: str
    state: StepState
    tone: Tone
    message: str
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True)
class Progress:
    """How far an operation is, in words."""

    title: str
    detail: str
    """What it waits for now, or how it ended."""
    next: str
    tone: Tone
    working: bool
    started: datetime | None
    finished: datetime | None
    steps: tuple[Step, ...]
    ended: str = "took"
    """The words before how long it took."""

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(step.state is StepState.DONE for step in self.steps)

    @property
    def announcement(self) -> str:
        """One sentence for people who listen."""
        count = f" {self.done} of {len(self.steps)} steps done." if self.working and self.steps else ""
        return f"{self.title}.{count} {self.detail}".strip()


def of(cluster: VirtualCluster, operation: Operation | None, *, workers: int) -> Progress:
    """The cluster page's head: what is going on and what happens next."""
    steps = _steps(operation, pausing=clusters.spec(cluster).paused)
    if operation is not None and operation.state == OperationState.RUNNING:
        return _running(cluster, operation, steps, workers=workers)
    if Phase(cluster.phase) is Phase.FAILED:
        return _failed(cluster, operation, steps)
    if Phase(cluster.phase) is Phase.READY:
        return _ready(operation, steps)
    return _unsettled(cluster)


def decisive(cluster: VirtualCluster) -> ClusterCondition | None:
    """The first fact that keeps the cluster from being available."""
    by_type = {ConditionType(row.type): row for row in cluster.conditions.all()}
    if cluster.deleting:
        return by_type.get(ConditionType.DELETING)
    stalled = by_type.get(ConditionType.STALLED)
    if stalled is not None and stalled.status == ConditionStatus.TRUE:
        return stalled
    for kind, bad in _AGAINST.items():
        if kind in by_type and by_type[kind].status == bad:
            return by_type[kind]
    missing = (by_type[kind] for kind in BUILD_ORDER if kind in by_type)
    return next((row for row in missing if row.status != ConditionStatus.TRUE), None)


def doing(kind: OperationKind, step: str) -> str:
    """What a step does, in words; a step that has none speaks by its name."""
    known = {**words.DOING, **words.TEARING_DOWN} if kind is OperationKind.DELETE else words.DOING
    return known.get(step, step)


def _running(
    cluster: VirtualCluster, operation: Operation, steps: tuple[Step, ...], *, workers: int
) -> Progress:
    kind = OperationKind(operation.kind)
    now = next((s for s in steps if s.state in {StepState.RUNNING, StepState.FAILED}), None)
    return Progress(
        title=f"{words.OPERATIONS[kind][1]} {cluster.name}",
        detail=_waiting_for(cluster, kind, now, workers=workers),
        next=_next(kind, steps, pausing=clusters.spec(cluster).paused),
        tone=Tone.BUSY,
        working=True,
        started=operation.created_at,
        finished=None,
        steps=steps,
    )


def _waiting_for(cluster: VirtualCluster, kind: OperationKind, now: Step | None, *, workers: int) -> str:
    if not workers:
        return "No worker has been heard of for 45 seconds. It goes on by itself as soon as one runs again."
    host = cluster.host
    if host.reachable != ConditionStatus.TRUE and host.message:
        return f"Waiting for host {host.name}: {host.message}"
    if now is not None:
        return now.message or f"{doing(kind, now.name)}…"
    return "A worker picks it up within a second."


def _next(kind: OperationKind, steps: tuple[Step, ...], *, pausing: bool) -> str:
    ahead = [s.name for s in steps if s.state is StepState.PENDING]
    if ahead:
        return doing(kind, ahead[0])
    if kind is OperationKind.DELETE:
        return "its name is free again"
    return "it sleeps" if pausing else "it is Ready and you can download its kubeconfig"


def _failed(cluster: VirtualCluster, operation: Operation | None, steps: tuple[Step, ...]) -> Progress:
    stalled = next((row for row in cluster.conditions.all() if row.type == ConditionType.STALLED), None)
    reason = Reason(stalled.reason) if stalled else Reason.UNEXPECTED
    said = (stalled.message if stalled else "") or (operation.error_message if operation else "")
    return Progress(
        title=f"{cluster.name} is stopped",
        detail=said or words.REASONS[reason],
        next=f"{words.REASONS[reason]} When the cause is gone, press Retry: it goes on where it stopped.",
        tone=Tone.BAD,
        working=False,
        started=operation.created_at if operation else None,
        finished=operation.finished_at if operation else None,
        steps=steps,
    )


def _ready(operation: Operation | None, steps: tuple[Step, ...]) -> Progress:
    done = words.OPERATIONS[OperationKind(operation.kind)][2] if operation else "Made"
    return Progress(
        title="Ready",
        detail="Its API answers, its DNS works, and its pods are seen to run in their sandbox.",
        next="",
        tone=Tone.GOOD,
        working=False,
        started=operation.created_at if operation else None,
        finished=operation.finished_at if operation else None,
        steps=steps,
        ended=f"{done} in",
    )


def _unsettled(cluster: VirtualCluster) -> Progress:
    """No operation runs and yet it is not as wanted: what is missing, and that it is being mended."""
    tone, meaning = words.PHASES[Phase(cluster.phase)]
    fact = decisive(cluster)
    missing = fact.message or words.REASONS[Reason(fact.reason)] if fact else ""
    return Progress(
        title=meaning,
        detail=missing,
        next=_UNSETTLED_NEXT.get(
            ConditionType(fact.type) if fact else ConditionType.AVAILABLE,
            "It is looked at again every few seconds and mended where that is possible.",
        ),
        tone=tone,
        working=tone not in {Tone.WARN, Tone.BAD} and Phase(cluster.phase) is not Phase.PAUSED,
        started=None,
        finished=None,
        steps=(),
    )


def _steps(operation: Operation | None, *, pausing: bool) -> tuple[Step, ...]:
    if operation is not None and operation.steps:
        return tuple(_step(step) for step in operation.steps)
    if pausing or (operation is not None and operation.kind == OperationKind.DELETE):
        return ()
    return tuple(_ahead(kind) for kind in BY_STEPS)


def _step(step: dict[str, Any]) -> Step:
    state = StepState(step["state"])
    message = "" if state is StepState.PENDING else step["message"]
    return Step(
        step["name"], state, _STEP_TONES[state], message, _time(step["startedAt"]), _time(step["finishedAt"])
    )


def _ahead(kind: ConditionType) -> Step:
    return Step(words.CONDITIONS[kind], StepState.PENDING, Tone.IDLE, "", None, None)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
