"""Every word that people read about a phase, a condition, a reason or an event, and its colour: once, here."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tenancy.enums import (
    ActorSource,
    ConditionStatus,
    ConditionType,
    FindingKind,
    GpuVerdict,
    OperationKind,
    OperationState,
    Phase,
    Reason,
)
from tenancy.grant_enums import Approval, GrantPhase, RequestState
from tenancy.template_enums import TemplateVerdict, VersionState

if TYPE_CHECKING:
    from collections.abc import Mapping


class Tone(StrEnum):
    """A colour with a meaning; the style sheet says which."""

    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"


PHASES: Final[Mapping[Phase, tuple[Tone, str]]] = {
    Phase.PENDING: (Tone.IDLE, "Waiting for its host"),
    Phase.AWAITING_APPROVAL: (Tone.IDLE, "Waiting for an admin to grant its accelerators"),
    Phase.PROVISIONING: (Tone.BUSY, "Being created"),
    Phase.READY: (Tone.GOOD, "Ready to use"),
    Phase.UPDATING: (Tone.BUSY, "Being changed"),
    Phase.DEGRADED: (Tone.WARN, "Something is not as it should be"),
    Phase.PAUSED: (Tone.IDLE, "Asleep: nothing of it runs"),
    Phase.FAILED: (Tone.BAD, "Stopped: somebody must act"),
    Phase.QUARANTINED: (Tone.BAD, "Taken out of use by an admin"),
    Phase.DELETING: (Tone.BUSY, "Being deleted"),
}

CONDITIONS: Final[Mapping[ConditionType, str]] = {
    ConditionType.APPROVED: "Accelerators granted",
    ConditionType.HOST_REACHABLE: "Host",
    ConditionType.NAMESPACE_READY: "Namespace",
    ConditionType.LIMITS_APPLIED: "Limits",
    ConditionType.NETWORK_ISOLATED: "Network rules",
    ConditionType.GUARD_RAILS_PROVEN: "Guard rails",
    ConditionType.RELEASED: "Control plane release",
    ConditionType.CONTROL_PLANE_AVAILABLE: "API server",
    ConditionType.TRAFFIC_BLOCKED: "Traffic",
    ConditionType.SANDBOX_ENFORCED: "Sandbox",
    ConditionType.DNS_AVAILABLE: "DNS",
    ConditionType.ACCESS_ISSUED: "Access",
    ConditionType.ADD_ONS_APPLIED: "Add-ons",
    ConditionType.ADD_ONS_READY: "Add-ons running",
    ConditionType.DEVICES_SETTLED: "Devices given back",
    ConditionType.ISOLATION_ATTESTED: "Isolation report",
    ConditionType.TEMPLATE_FOLLOWED: "Template",
    ConditionType.PAUSED: "Sleep",
    ConditionType.QUARANTINED: "Quarantine",
    ConditionType.DELETING: "Deletion",
    ConditionType.STALLED: "Stopped until somebody acts",
    ConditionType.AVAILABLE: "All in all",
}
"""Those from the host to access are also the names of the steps that bring them about."""

REQUEST_STATES: Final[Mapping[RequestState, tuple[Tone, str]]] = {
    RequestState.REQUESTED: (Tone.BUSY, "Waits for an admin to decide. Whoever may ask is told."),
    RequestState.ENDORSED: (Tone.BUSY, "One admin agreed; a second one has to, because of the amount."),
    RequestState.COUNTERED: (Tone.WARN, "An admin offers these terms instead: the team accepts or declines."),
    RequestState.APPROVED: (Tone.GOOD, "Granted. Clusters that waited for it go on by themselves."),
    RequestState.DENIED: (Tone.BAD, "Refused. Ask again with other terms, or let clusters ask for less."),
    RequestState.DECLINED: (Tone.IDLE, "The offer was declined. Ask again if it is still needed."),
    RequestState.WITHDRAWN: (Tone.IDLE, "Taken back before anybody decided."),
    RequestState.LAPSED: (Tone.IDLE, "Nobody decided in time. Ask again if it is still needed."),
}

VERDICTS: Final[Mapping[TemplateVerdict, tuple[Tone, str]]] = {
    TemplateVerdict.CURRENT: (Tone.GOOD, "has it"),
    TemplateVerdict.MOVES: (Tone.BUSY, "goes on to it"),
    TemplateVerdict.STAYS: (Tone.IDLE, "stays"),
    TemplateVerdict.REFUSED: (Tone.WARN, "cannot have it"),
}
VERSION_STATES: Final[Mapping[VersionState, tuple[Tone, str]]] = {
    VersionState.ACTIVE: (Tone.GOOD, "Active"),
    VersionState.DEPRECATED: (Tone.WARN, "Deprecated"),
    VersionState.YANKED: (Tone.BAD, "Yanked"),
}

ADD_ONS: Final[Mapping[ConditionStatus, tuple[Tone, str]]] = {
    ConditionStatus.TRUE: (Tone.GOOD, "Runs"),
    ConditionStatus.FALSE: (Tone.WARN, "Does not run"),
    ConditionStatus.UNKNOWN: (Tone.IDLE, "Not known"),
}

GRANT_PHASES: Final[Mapping[GrantPhase, tuple[Tone, str]]] = {
    GrantPhase.PENDING: (Tone.IDLE, "Begins on its first day, once its devices are free."),
    GrantPhase.ACTIVE: (Tone.GOOD, "In force: clusters of the team may use it."),
    GrantPhase.EXPIRING: (Tone.WARN, "Ends soon. Ask for more days to keep it."),
    GrantPhase.RECLAIMING: (
        Tone.BUSY,
        "Over: its devices are on their way back, pods may finish until the deadline.",
    ),
    GrantPhase.RECLAIMED: (Tone.IDLE, "Over: its devices were seen back on the host, as the receipt says."),
}

APPROVALS: Final[Mapping[Approval, str]] = {
    Approval.NONE: "within your grant",
    Approval.POLICY: "granted at once, nobody has to be asked",
    Approval.ADMIN: "an admin will be asked",
    Approval.TWO_ADMINS: "two admins will be asked, because of the amount",
}

DOING: Final[Mapping[str, str]] = {
    "Host": "asking the host cluster what it offers",
    "Namespace": "making its namespace on the host",
    "Limits": "setting its quota and limits",
    "Network rules": "closing its network to others",
    "Guard rails": "proving that the host refuses what it must, and admits what it should",
    "Control plane release": "installing its control plane with Helm",
    "API server": "waiting for its API server to answer",
    "Traffic": "trying from pods that packets reach one another and nothing of the host",
    "Sandbox": "proving the sandbox with a probe pod",
    "DNS": "waiting for its DNS",
    "Access": "preparing access for people",
    "Control plane stopped": "stopping its control plane",
    "Pods stopped": "ending its pods, each in its own time",
    "Nothing runs": "looking on the host that nothing of it runs any more",
    "Add-ons": "applying the objects of its add-ons",
    "Add-ons running": "looking whether what its add-ons started runs",
    "Control plane and access": "removing its control plane and every access to it",
    "Nothing left": "proving that nothing of it is left on the host",
}
"""What a step does, by its name in an operation."""

TEARING_DOWN: Final[Mapping[str, str]] = {
    "Host": "asking the host cluster what is there of it",
    "Namespace": "removing its namespace and volumes",
}
"""Steps that mean something else in a deletion."""

NEGATIVE: Final = frozenset(
    {ConditionType.PAUSED, ConditionType.DELETING, ConditionType.QUARANTINED, ConditionType.STALLED}
)
"""Conditions of which True is the bad or final one."""

REASONS: Final[Mapping[Reason, str]] = {
    Reason.NOT_YET_REPORTED: "No worker has looked at this since the last change. It is looked at within seconds.",
    Reason.AS_WANTED: "As wanted.",
    Reason.HOST_STARTING: "The host cluster is still being built. Your cluster waits and goes on by itself.",
    Reason.HOST_UNREACHABLE: "The host cluster does not answer. It is tried again; nothing is lost.",
    Reason.HOST_MISCONFIGURED: "The host cluster lacks something. An admin must act; then it goes on by itself.",
    Reason.FORBIDDEN: "The host refused Atoll's rights. An admin installs helm/host there anew.",
    Reason.CONFLICT: "The host has an object of that name which is not Atoll's. An admin removes it; then it goes on.",
    Reason.AWAITING_APPROVAL: "More accelerators are asked for than are granted. It goes on by itself once an admin approves.",
    Reason.WAITING: "The host is at work. It is looked at again within seconds.",
    Reason.INSTALLING: "Helm is installing the control plane. This takes some seconds.",
    Reason.CHART_INVALID: "An admin must look at the chart and its values.",
    Reason.RELEASE_FAILED: "Helm could not install it. It is tried again.",
    Reason.IMAGE_MISSING: "The host cannot pull an image. An admin loads it or corrects the mirror; then it goes on.",
    Reason.PODS_PENDING: "A pod has no node yet. It starts when the host has room; a smaller size may help.",
    Reason.NOT_READY: "It runs but does not answer as ready yet. It is looked at again within seconds.",
    Reason.CRASH_LOOPING: "A container of the control plane keeps ending. An admin looks into its logs on the host.",
    Reason.PROBE_RUNNING: "A probe pod tells which kernel it sees. Its answer comes within seconds.",
    Reason.SANDBOX_NOT_ENFORCED: "The probe ran outside the sandbox, so the cluster is not handed out. Tell an admin.",
    Reason.SANDBOX_UNAVAILABLE: "The host no longer offers this sandbox. Tell an admin, or choose another one.",
    Reason.GUARD_RAILS_OPEN: "The host does not refuse what it must. An admin installs helm/host there anew; then it goes on.",
    Reason.QUOTA_EXCEEDED: "The host's quota refused an object. Ask for a larger size.",
    Reason.CLAIM_FAILED: "The last isolation report did not hold. An admin mends the control it names; then ask for a new report.",
    Reason.PAUSED: "It sleeps: nothing of it runs, everything it stores is kept. Resume wakes it.",
    Reason.QUARANTINED: "An admin took it out of use. Nothing of it runs until an admin lifts the quarantine.",
    Reason.UNEXPECTED: "Something nobody foresaw. It is logged and tried again.",
    Reason.DELETION_REQUESTED: "Somebody asked for its end.",
    Reason.ADD_ON_REFUSED: "The cluster refuses an object of an add-on. Choose another version of the add-on, or none; the message says why.",
    Reason.ADD_ON_NOT_RUNNING: "Something of an add-on does not run. It is looked at again by itself; kubectl describe tells more, and another version of the add-on may help.",
    Reason.ADD_ON_FAILED: "Something of an add-on has given up. Delete that object and it is made anew within minutes, or choose another version of the add-on.",
    Reason.TEMPLATE_REFUSED: "A newer version of its template cannot be had. It is tried each minute; the message says what is in the way.",
    Reason.RELEASING: "Something on the host is still going away. It is looked at again within seconds.",
}
"""What a reason means and what happens next."""

OPERATIONS: Final[Mapping[OperationKind, tuple[str, str, str]]] = {
    OperationKind.CREATE: ("Create", "Creating", "Created"),
    OperationKind.UPDATE: ("Change", "Changing", "Changed"),
    OperationKind.DELETE: ("Delete", "Deleting", "Deleted"),
}
"""The verb, as it runs, and when it is done."""

OPERATION_STATES: Final[Mapping[OperationState, tuple[Tone, str]]] = {
    OperationState.RUNNING: (Tone.BUSY, "Running"),
    OperationState.SUCCEEDED: (Tone.GOOD, "Done"),
    OperationState.FAILED: (Tone.BAD, "Failed"),
    OperationState.SUPERSEDED: (Tone.IDLE, "Replaced by a later one"),
}

EVENTS: Final[Mapping[str, str]] = {
    "cluster.create": "asked for this cluster",
    "cluster.update": "changed its spec",
    "cluster.delete": "asked for its deletion",
    "cluster.retry": "let it try again",
    "cluster.gone": "saw that nothing of it is left",
    "report.request": "asked for an isolation report",
    "report.failed": "saw its isolation report fail",
    "cluster.pause": "put it to sleep",
    "cluster.resume": "woke it",
    "cluster.quarantine": "put it into quarantine",
    "cluster.quarantine.lift": "lifted its quarantine",
    "finding.noticed": "noticed that a guard rail on the host was changed",
    "finding.restored": "saw a guard rail put right",
    "kubeconfig.request": "asked for a kubeconfig",
    "kubeconfig.collect": "downloaded a kubeconfig",
}

FINDINGS: Final[Mapping[FindingKind, str]] = {
    FindingKind.GUARD_RAIL_CHANGED: "{} was changed",
    FindingKind.GUARD_RAIL_REMOVED: "{} was removed",
    FindingKind.GUARD_RAIL_ADDED: "{} was added",
    FindingKind.DEVICES_OVER: "{}: more devices are held than granted",
    FindingKind.DEVICES_MISPLACED: "{}: devices are held on nodes that are not its own",
    FindingKind.DEVICES_SHORT: "{}: fewer devices than are granted",
}

SOURCES: Final[Mapping[ActorSource, str]] = {
    ActorSource.AUDIT_LOG: "the host's audit log says so",
    ActorSource.FIELD_MANAGER: "a hint only: the name a tool gave itself",
    ActorSource.UNKNOWN: "nothing tells who it was",
}

REACHABLE: Final[Mapping[ConditionStatus, tuple[Tone, str]]] = {
    ConditionStatus.TRUE: (Tone.GOOD, "Reachable"),
    ConditionStatus.FALSE: (Tone.BAD, "Not reachable"),
    ConditionStatus.UNKNOWN: (Tone.IDLE, "Not seen yet"),
}

GPU_VERDICTS: Final[Mapping[GpuVerdict, tuple[Tone, str]]] = {
    GpuVerdict.CLEAN: (Tone.GOOD, "Clean"),
    GpuVerdict.EXPOSED: (Tone.BAD, "Exposed"),
    GpuVerdict.UNKNOWN: (Tone.WARN, "Unknown"),
}
