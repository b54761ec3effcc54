"""Turns what is stored into what a page shows: values without volatile parts, so that they can be compared."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from portal.web import words
from portal.web.progress import decisive
from portal.web.words import Tone
from tenancy.enums import (
    ActorSource,
    ConditionStatus,
    ConditionType,
    FindingKind,
    GpuVerdict,
    IsolationModel,
    OperationKind,
    OperationState,
    Phase,
    Reason,
    Sandbox,
    Trust,
)
from tenancy.queries import clusters
from tenancy.rules import offers
from tenancy.rules.specs import facts_from_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tenancy.models import AuditEvent, ClusterCondition, Finding, HostCluster, Operation, VirtualCluster
    from tenancy.queries.cluster_devices import Devices
    from tenancy.rules.offers import SandboxOffer
    from tenancy.rules.specs import EffectiveSpec

_GI: Final = Decimal(1024**3)
_MI: Final = Decimal(1024**2)
_FACT_MOST: Final = 200
"""Characters of a fact in a list."""


@dataclass(frozen=True)
class Badge:
    """A word with its colour."""

    word: str
    tone: Tone


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
    reported = decisive(cluster)
    if reported is None or reported.reason == Reason.NOT_YET_REPORTED:
        return words.PHASES[Phase(cluster.phase)][1]
    return reported.message or words.REASONS[Reason(reported.reason)]


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
        *_template(asked, cluster),
        Row("Kubernetes", _asked(asked.get("kubernetesVersion")), built.kubernetes_version if built else ""),
        Row("Sandbox", _asked(isolation.get("sandbox")), _sandbox(built)),
        Row("Isolation", _asked(isolation.get("model")), built.model.value if built else ""),
        *_amounts(resources, built),
        Row("Persistence", _asked(asked.get("persistence")), built.persistence.value if built else ""),
        *_add_ons(asked, built),
        Row("Deletion protection", _asked(asked.get("deletionProtection")), _flag(asked)),
        Row("Paused", _asked(asked.get("paused")), "yes" if clusters.spec(cluster).paused else "no"),
    )


def _template(asked: dict[str, Any], cluster: VirtualCluster) -> Iterator[Row]:
    """The template that it stands on, where it does."""
    if cluster.template_version is not None:
        wish = asked.get("template") or {}
        parameters = (f"{name}: {_short(value)}" for name, value in (wish.get("parameters") or {}).items())
        words_ = ", ".join([f"{wish.get('name')} {wish.get('version')}", *parameters])
        yield Row("Template", words_, str(cluster.template_version))


def _add_ons(asked: dict[str, Any], built: EffectiveSpec | None) -> Iterator[Row]:
    """What is put into it, where anything is."""
    wanted = {one["name"]: one["version"] for one in asked.get("addOns") or ()}
    inside = built.add_ons if built else {}
    if wanted or inside:
        told = [", ".join(f"{name} {version}" for name, version in one.items()) for one in (wanted, inside)]
        yield Row("Add-ons", told[0] or _asked(None), told[1])


def device_rows(devices: Iterable[Devices]) -> Iterator[Row]:
    """What was asked for of each accelerator class beside what the cluster may use of it."""
    for one in devices:
        none = "none while it sleeps" if one.sleeps else "none any more"
        late = f", {one.held - one.granted} on the way back" if one.held > one.granted else ""
        yield Row(one.key, str(one.asked) if one.asked else none, f"{one.granted} granted{late}")


def size(cluster: VirtualCluster) -> str:
    """CPU and memory in a few characters, for a list."""
    built = clusters.effective(cluster)
    if built is None:
        return ""
    return f"{plain(built.resources.cpu)} CPU, {bytes_(built.resources.memory)}"


def sleep_verb(cluster: VirtualCluster) -> str:
    """What its button does: ``pause``, ``resume``, or nothing where neither can be."""
    if cluster.deleting or cluster.quarantined:
        return ""
    return "resume" if clusters.spec(cluster).paused else "pause"


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
    paths = row.facts.get("changes") or row.facts.get(
        "changed", []
    )  # rows of earlier releases name paths only
    changed = ", ".join(str(path).removeprefix("spec.") for path in paths)
    lifetime = f" for {row.facts['lifetime'] // 60} minutes" if "lifetime" in row.facts else ""
    return f"{said}{lifetime}" + (f": {changed}" if changed else "")


def audit_lines(row: AuditEvent) -> list[str]:
    """The facts of a row, each as "name: value"; a change as "name: before → after"."""
    facts = dict(row.facts)
    changes = facts.pop("changes", None)
    told = [f"{path}: {_short(c.get('from'))} → {_short(c.get('to'))}" for path, c in (changes or {}).items()]
    return told + [f"{name}: {_short(value)}" for name, value in facts.items() if value not in ("", None)]


def _short(value: Any) -> str:  # noqa: ANN401 - JSON
    """A fact on one line; the whole of it is in the API."""
    if value in (None, "", [], {}):
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text[:_FACT_MOST]}…" if len(text) > _FACT_MOST else text


def finding_title(row: Finding) -> str:
    """What happened to which guard rail."""
    return words.FINDINGS[FindingKind(row.kind)].format(row.subject)


def finding_place(row: Finding) -> str:
    """Where it was."""
    return f"{row.tenant}/{row.cluster_name} on host {row.host}" if row.tenant else f"host {row.host}"


def finding_source(row: Finding) -> str:
    """How it is known who it was."""
    return words.SOURCES[ActorSource(row.actor_source)]


def finding_badge(row: Finding) -> Badge:
    """Whether it still is amiss."""
    return Badge("Put right", Tone.GOOD) if row.restored_at else Badge("Open", Tone.BAD)


def host_badge(host: HostCluster) -> Badge:
    """Whether a host answers; one that is still being built is not broken."""
    if host.reason == Reason.HOST_STARTING:
        return Badge("Being built", Tone.BUSY)
    tone, word = words.REACHABLE[ConditionStatus(host.reachable)]
    return Badge(word, tone)


def gpu_badge(verdict: str) -> Badge:
    """Whether untrusted tenants get this node's devices."""
    tone, word = words.GPU_VERDICTS[GpuVerdict(verdict)]
    return Badge(word, tone)


def host_trouble(host: HostCluster) -> str:
    """What is wrong with a host and what to do; empty when nothing is."""
    if host.reachable == ConditionStatus.TRUE and not host.message:
        return ""
    meaning = words.REASONS[Reason(host.reason)]
    return f"{host.message.rstrip('.')}. {meaning}" if host.message else meaning


def host_sandboxes(host: HostCluster) -> Sequence[SandboxOffer]:
    """Every profile on a host, for the one who could bring what is missing."""
    facts = facts_from_json(host.facts)
    return offers.sandboxes(facts, Trust.TRUSTED, IsolationModel.SHARED) if facts else ()


def version(*parts: object) -> str:
    """Identifies what a fragment shows: equal parts need no new fragment."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def pairs(values: Mapping[str, object]) -> str:
    """As forms take them: ``a=1, b=2``."""
    return ", ".join(f"{key}={value}" for key, value in values.items())


def plain(value: Decimal) -> str:
    """A number without needless zeros."""
    return f"{value.normalize():f}"


def bytes_(value: Decimal) -> str:
    """An amount of bytes as people write it: 8 GiB, 512 MiB."""
    unit, name = (_GI, "GiB") if value >= _GI else (_MI, "MiB")
    return f"{plain((value / unit).quantize(Decimal('0.1')))} {name}"


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
