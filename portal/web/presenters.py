"""Turns what is stored into what a page shows: values without volatile parts, so that they can be compared."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
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
    Sandbox,
    StepState,
)
from tenancy.queries import clusters
from tenancy.rules.conditions import BUILD_ORDER

if TYPE_CHECKING:
    from tenancy.models import AuditEvent, ClusterCondition, HostCluster, Operation, VirtualCluster
    from tenancy.rules.specs import EffectiveSpec

_GI: Final = Decimal(1024**3)
_MI: Final = Decimal(1024**2)
_STEP_TONES: Final = {
    StepState.PENDING: Tone.IDLE,
    StepState.RUNNING: Tone.BUSY,
    StepState.DONE: Tone.GOOD,
    StepState.FAILED: Tone.BAD,
}


@dataclass(frozen=True)
class Badge:
    """A word with its colour."""

    word: str
    tone: Tone


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


@dataclass(frozen=True)
class Fact:
    """One condition as people read it."""

    type: str
    title: str
    status: str
    tone: Tone
    reason: str
    message: str
    changed: datetime


@dataclass(frozen=True)
class Row:
    """One line of "asked for" against "effective"."""

    name: str
    asked: str
    effective: str


def badge(phase: str) -> Badge:
    """A cluster's phase; the word is the API's, so that tools and people speak alike."""
    return Badge(phase, words.PHASES[Phase(phase)][0])


def brief(cluster: VirtualCluster) -> str:
    """A few words for a list: what it waits for, or what the phase means."""
    if Phase(cluster.phase) is Phase.READY:
        return words.PHASES[Phase.READY][1]
    reported = _decisive(cluster)
    if reported is None or reported.reason == Reason.NOT_YET_REPORTED:
        return words.PHASES[Phase(cluster.phase)][1]
    return reported.message or words.REASONS[Reason(reported.reason)]


def progress(cluster: VirtualCluster, operation: Operation | None, *, workers: int) -> Progress:
    """The cluster page's head: what is going on and what happens next."""
    steps = _steps(operation)
    if operation is not None and operation.state == OperationState.RUNNING:
        return _running(cluster, operation, steps, workers=workers)
    if Phase(cluster.phase) is Phase.FAILED:
        return _failed(cluster, operation, steps)
    if Phase(cluster.phase) is Phase.READY:
        return _ready(operation, steps)
    return _unsettled(cluster)


def facts(cluster: VirtualCluster) -> tuple[Fact, ...]:
    """All conditions, in the order of the vocabulary."""
    order = list(ConditionType)
    rows = sorted(cluster.conditions.all(), key=lambda row: order.index(ConditionType(row.type)))
    return tuple(_fact(row, cluster.generation) for row in rows)


def spec_rows(cluster: VirtualCluster) -> tuple[Row, ...]:
    """What was asked for beside what is really built; "chosen by Atoll" where the spec is silent."""
    asked, built = json.loads(cluster.spec_text) or {}, clusters.effective(cluster)
    resources = asked.get("resources") or {}
    isolation = asked.get("isolation") or {}
    return (
        Row("Kubernetes", _asked(asked.get("kubernetesVersion")), built.kubernetes_version if built else ""),
        Row("Sandbox", _asked(isolation.get("sandbox")), _sandbox(built)),
        Row("Isolation", _asked(isolation.get("model")), built.model.value if built else ""),
        *_amounts(resources, built),
        Row("Persistence", _asked(asked.get("persistence")), built.persistence.value if built else ""),
        Row("Deletion protection", _asked(asked.get("deletionProtection")), _flag(asked)),
    )


def size(cluster: VirtualCluster) -> str:
    """CPU and memory in a few characters, for a list."""
    built = clusters.effective(cluster)
    if built is None:
        return ""
    return f"{plain(built.resources.cpu)} CPU, {bytes_(built.resources.memory)}"


def kubernetes(cluster: VirtualCluster) -> str:
    """The minor version, for a list."""
    built = clusters.effective(cluster)
    return built.kubernetes_version if built else ""


def verb(operation: Operation) -> str:
    """What an operation does, as one word."""
    return words.OPERATIONS[OperationKind(operation.kind)][0]


def operation_badge(operation: Operation) -> Badge:
    """How an operation ended, or that it runs."""
    tone, word = words.OPERATION_STATES[OperationState(operation.state)]
    return Badge(word, tone)


def event(row: AuditEvent) -> str:
    """What somebody did, in words, with what matters of its facts."""
    said = words.EVENTS.get(row.action, row.action)
    changed = ", ".join(str(path).removeprefix("spec.") for path in row.facts.get("changed", []))
    lifetime = f" for {row.facts['lifetime'] // 60} minutes" if "lifetime" in row.facts else ""
    return f"{said}{lifetime}" + (f": {changed}" if changed else "")


def host_badge(host: HostCluster) -> Badge:
    """Whether a host answers; one that is still being built is not broken."""
    if host.reason == Reason.HOST_STARTING:
        return Badge("Being built", Tone.BUSY)
    tone, word = words.REACHABLE[ConditionStatus(host.reachable)]
    return Badge(word, tone)


def host_trouble(host: HostCluster) -> str:
    """What is wrong with a host and what to do; empty when nothing is."""
    if host.reachable == ConditionStatus.TRUE and not host.message:
        return ""
    meaning = words.REASONS[Reason(host.reason)]
    return f"{host.message.rstrip('.')}. {meaning}" if host.message else meaning


def doing(kind: OperationKind, step: str) -> str:
    """What a step does, in words; a step that has none speaks by its name."""
    known = {**words.DOING, **words.TEARING_DOWN} if kind is OperationKind.DELETE else words.DOING
    return known.get(step, step)


def version(*parts: object) -> str:
    """Identifies what a fragment shows: equal parts need no new fragment."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def plain(value: Decimal) -> str:
    """A number without needless zeros."""
    return f"{value.normalize():f}"


def bytes_(value: Decimal) -> str:
    """An amount of bytes as people write it: 8 GiB, 512 MiB."""
    unit, name = (_GI, "GiB") if value >= _GI else (_MI, "MiB")
    return f"{plain((value / unit).quantize(Decimal('0.1')))} {name}"


def _running(
    cluster: VirtualCluster, operation: Operation, steps: tuple[Step, ...], *, workers: int
) -> Progress:
    kind = OperationKind(operation.kind)
    now = next((s for s in steps if s.state in {StepState.RUNNING, StepState.FAILED}), None)
    return Progress(
        title=f"{words.OPERATIONS[kind][1]} {cluster.name}",
        detail=_waiting_for(cluster, kind, now, workers=workers),
        next=_next(kind, steps),
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


def _next(kind: OperationKind, steps: tuple[Step, ...]) -> str:
    ahead = [s.name for s in steps if s.state is StepState.PENDING]
    if ahead:
        return doing(kind, ahead[0])
    if kind is OperationKind.DELETE:
        return "its name is free again"
    return "it is Ready and you can download its kubeconfig"


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
    decisive = _decisive(cluster)
    missing = decisive.message or words.REASONS[Reason(decisive.reason)] if decisive else ""
    return Progress(
        title=meaning,
        detail=missing,
        next="It is looked at again every few seconds and mended where that is possible.",
        tone=tone,
        working=tone is not Tone.WARN,
        started=None,
        finished=None,
        steps=(),
    )


def _steps(operation: Operation | None) -> tuple[Step, ...]:
    if operation is not None and operation.steps:
        return tuple(_step(step) for step in operation.steps)
    if operation is not None and operation.kind == OperationKind.DELETE:
        return ()
    return tuple(_ahead(kind) for kind in BUILD_ORDER)


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


def _decisive(cluster: VirtualCluster) -> ClusterCondition | None:
    """The first fact that keeps the cluster from being available."""
    by_type = {ConditionType(row.type): row for row in cluster.conditions.all()}
    if cluster.deleting:
        return by_type.get(ConditionType.DELETING)
    stalled = by_type.get(ConditionType.STALLED)
    if stalled is not None and stalled.status == ConditionStatus.TRUE:
        return stalled
    missing = (by_type[kind] for kind in BUILD_ORDER if kind in by_type)
    return next((row for row in missing if row.status != ConditionStatus.TRUE), None)


def _fact(row: ClusterCondition, generation: int) -> Fact:
    kind, status = ConditionType(row.type), ConditionStatus(row.status)
    good = ConditionStatus.FALSE if kind in words.NEGATIVE else ConditionStatus.TRUE
    stale = row.observed_generation < generation and row.reason != Reason.NOT_YET_REPORTED
    tone = (
        Tone.IDLE
        if status is ConditionStatus.UNKNOWN or stale
        else Tone.GOOD
        if status is good
        else Tone.WARN
    )
    message = row.message or words.REASONS[Reason(row.reason)]
    if stale:
        message = f"Seen of an earlier spec: {message}"
    return Fact(row.type, words.CONDITIONS[kind], row.status, tone, row.reason, message, row.changed_at)


def _amounts(asked: dict[str, Any], built: EffectiveSpec | None) -> tuple[Row, ...]:
    own = built.resources if built else None
    return (
        Row("CPU", _asked(asked.get("cpu")), f"{plain(own.cpu)} cores" if own else ""),
        Row("Memory", _asked(asked.get("memory")), bytes_(own.memory) if own else ""),
        Row("Storage", _asked(asked.get("storage")), bytes_(own.storage) if own else ""),
        Row("Pods", _asked(asked.get("pods")), f"at most {own.pods}" if own else ""),
    )


def _sandbox(built: EffectiveSpec | None) -> str:
    if built is None or built.sandbox is Sandbox.NONE:
        return "none" if built else ""
    return f"{built.sandbox.value} (RuntimeClass {built.runtime_class})"


def _asked(value: object) -> str:
    if value is None:
        return ""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _flag(asked: dict[str, Any]) -> str:
    return "on" if asked.get("deletionProtection") else "off"
