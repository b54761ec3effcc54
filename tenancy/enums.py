"""The closed vocabulary of Atoll: every word that is stored, sent or shown."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a member may do in one tenant."""

    VIEWER = "viewer"
    MEMBER = "member"
    OWNER = "owner"


class PlatformRole(StrEnum):
    """What a user may do across tenants; most have none."""

    NONE = ""
    AUDITOR = "auditor"
    ADMIN = "admin"


class Permission(StrEnum):
    """One thing an actor may do; ``policy`` says who may, and with which scope of a token."""

    TENANT_VIEW = "tenant.view"
    TENANT_MANAGE = "tenant.manage"
    MEMBER_MANAGE = "member.manage"
    CLUSTER_VIEW = "cluster.view"
    CLUSTER_WRITE = "cluster.write"
    CLUSTER_ACCESS = "cluster.access"
    CLUSTER_QUARANTINE = "cluster.quarantine"
    REPORT_REQUEST = "report.request"
    CREDENTIAL_VIEW = "credential.view"
    SERVICE_ACCOUNT_MANAGE = "service-account.manage"
    HOST_VIEW = "host.view"
    HOST_MANAGE = "host.manage"
    AUDIT_VIEW = "audit.view"
    FINDING_VIEW = "finding.view"
    GPU_VIEW = "gpu.view"
    GPU_REQUEST = "gpu.request"
    GPU_RETURN = "gpu.return"
    GPU_APPROVE = "gpu.approve"
    GPU_MANAGE = "gpu.manage"
    METRICS_VIEW = "metrics.view"
    IDENTITY_VIEW = "identity.view"
    IDENTITY_MANAGE = "identity.manage"
    TEMPLATE_MANAGE = "template.manage"
    WEBHOOK_VIEW = "webhook.view"
    WEBHOOK_MANAGE = "webhook.manage"


class Trust(StrEnum):
    """How far the platform trusts what a tenant runs."""

    UNTRUSTED = "untrusted"
    TRUSTED = "trusted"


class Sandbox(StrEnum):
    """A sandbox profile: what stands between a pod and the node's kernel."""

    GVISOR = "gvisor"
    KATA = "kata"
    VNODE = "vnode"
    USERNS = "userns"
    NONE = "none"


class IsolationModel(StrEnum):
    """Whose nodes a cluster's pods run on."""

    SHARED = "shared"
    DEDICATED_POOL = "dedicated-pool"


class GpuComponent(StrEnum):
    """A part of a node's GPU software that advisories are about."""

    TOOLKIT = "container-toolkit"
    OPERATOR = "gpu-operator"
    DRIVER = "driver"


class GpuVerdict(StrEnum):
    """What is to be thought of a node's GPU software; a node without accelerators has none."""

    CLEAN = "clean"
    EXPOSED = "exposed"
    UNKNOWN = "unknown"


class VersionSource(StrEnum):
    """Who told a version, the best witness first."""

    POD = "pod"
    CLUSTER_POLICY = "cluster-policy"
    FEATURE_DISCOVERY = "gpu-feature-discovery"
    NODE_LABEL = "node-label"


class Severity(StrEnum):
    """How grave a vulnerability is, in CVSS's words."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class PoolKind(StrEnum):
    """Who may use the nodes of a pool."""

    SHARED = "shared"
    """Every tenant of the host."""
    DEDICATED = "dedicated"
    """The one tenant it is assigned to."""


class Persistence(StrEnum):
    """Whether the cluster's store survives the loss of its control-plane pod."""

    PERSISTENT = "persistent"
    EPHEMERAL = "ephemeral"


class Exposure(StrEnum):
    """How the API of a virtual cluster is reached on a host cluster."""

    CLUSTER_IP = "clusterIP"
    LOAD_BALANCER = "loadBalancer"
    NODE_PORT = "nodePort"


class Phase(StrEnum):
    """One word for people and lists; never decided on (see ``rules.lifecycle``)."""

    PENDING = "Pending"
    AWAITING_APPROVAL = "AwaitingApproval"
    PROVISIONING = "Provisioning"
    READY = "Ready"
    UPDATING = "Updating"
    DEGRADED = "Degraded"
    PAUSED = "Paused"
    FAILED = "Failed"
    QUARANTINED = "Quarantined"
    DELETING = "Deleting"


class ConditionStatus(StrEnum):
    """Kubernetes' three values."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class ConditionType(StrEnum):
    """One fact about a cluster, owned by exactly one reconcile step."""

    # Owned by actions.allocations: whether the accelerators asked for are granted.
    APPROVED = "Approved"
    HOST_REACHABLE = "HostReachable"
    NAMESPACE_READY = "NamespaceReady"
    LIMITS_APPLIED = "LimitsApplied"
    NETWORK_ISOLATED = "NetworkIsolated"
    GUARD_RAILS_PROVEN = "GuardRailsProven"
    RELEASED = "Released"
    CONTROL_PLANE_AVAILABLE = "ControlPlaneAvailable"
    TRAFFIC_BLOCKED = "TrafficBlocked"
    SANDBOX_ENFORCED = "SandboxEnforced"
    DNS_AVAILABLE = "DnsAvailable"
    ACCESS_ISSUED = "AccessIssued"
    ADD_ONS_APPLIED = "AddOnsApplied"
    # Owned by the step beside the build that looks at what they started; no part of the summary.
    ADD_ONS_READY = "AddOnsReady"
    # Owned by the ladder: False while devices are on their way back; no part of the summary.
    DEVICES_SETTLED = "DevicesSettled"
    # Owned by the pass that makes isolation reports; False degrades, Unknown does not.
    ISOLATION_ATTESTED = "IsolationAttested"
    # Owned by actions.templates: False while a newer version of its template cannot be had; no part of the summary.
    TEMPLATE_FOLLOWED = "TemplateFollowed"
    # Negative polarity: True is bad or final.
    PAUSED = "Paused"
    QUARANTINED = "Quarantined"
    DELETING = "Deleting"
    STALLED = "Stalled"
    # The summary; written by actions.observations and actions.clusters only.
    AVAILABLE = "Available"


class Reason(StrEnum):
    """Why a condition has its status: an API of its own, so closed and documented."""

    NOT_YET_REPORTED = "NotYetReported"
    """No pass has looked at this since the last change."""
    AS_WANTED = "AsWanted"
    """Seen as the spec asks."""
    HOST_STARTING = "HostStarting"
    """The host cluster is still being built or started; the message tells its progress."""
    HOST_UNREACHABLE = "HostUnreachable"
    """The host's API server did not answer; the pass is tried again."""
    HOST_MISCONFIGURED = "HostMisconfigured"
    """The host answers but lacks something a cluster needs; an admin must act."""
    FORBIDDEN = "Forbidden"
    """The host refused the provisioner's rights; reinstall helm/host."""
    CONFLICT = "Conflict"
    """An object of that name exists and is not ours."""
    GUARD_RAILS_OPEN = "GuardRailsOpen"
    """A host policy is missing, of another version or does not refuse; an admin installs helm/host anew."""
    AWAITING_APPROVAL = "AwaitingApproval"
    """More accelerators are asked for than are granted; the message names the request that waits for an admin."""
    WAITING = "Waiting"
    """The host is at work; the message tells on what."""
    INSTALLING = "Installing"
    """Helm is installing or upgrading the release."""
    CHART_INVALID = "ChartInvalid"
    """Helm refused the chart or its values."""
    RELEASE_FAILED = "ReleaseFailed"
    """Helm could not bring the release about; it is tried again."""
    IMAGE_MISSING = "ImageMissing"
    """The host cannot pull an image; the message names it."""
    PODS_PENDING = "PodsPending"
    """A pod has no node yet; the message is the scheduler's."""
    NOT_READY = "NotReady"
    """It runs but does not answer as ready yet."""
    CRASH_LOOPING = "CrashLooping"
    """A container of the control plane keeps ending."""
    PROBE_RUNNING = "ProbeRunning"
    """The sandbox probe was sent and has not answered yet."""
    SANDBOX_NOT_ENFORCED = "SandboxNotEnforced"
    """The probe ran outside the wanted sandbox: nothing of it is trusted."""
    SANDBOX_UNAVAILABLE = "SandboxUnavailable"
    """The host offers no such runtime class."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    """The host's ResourceQuota refused an object of ours."""
    CLAIM_FAILED = "ClaimFailed"
    """The last isolation report did not hold; the message names the control."""
    PAUSED = "Paused"
    """It sleeps, as its spec asks: nothing of it runs until spec.paused is false."""
    QUARANTINED = "Quarantined"
    """An admin took the cluster out of use: nothing of it runs until it is lifted."""
    UNEXPECTED = "Unexpected"
    """An error nobody foresaw; it is logged and tried again."""
    DELETION_REQUESTED = "DeletionRequested"
    """Somebody asked for the end of this cluster."""
    TEMPLATE_REFUSED = "TemplateRefused"
    """A newer version of the template is there, and would be refused; the message says why. It is tried each minute."""
    ADD_ON_REFUSED = "AddOnRefused"
    """The cluster's API refuses an object of an add-on; the message names it and says why."""
    ADD_ON_NOT_RUNNING = "AddOnNotRunning"
    """An object of an add-on does not run yet, or no more; the message names it and says why. It is looked at again."""
    ADD_ON_FAILED = "AddOnFailed"
    """An object of an add-on has given up and begins anew only when it is made anew; the message names it."""
    RELEASING = "Releasing"
    """Teardown waits for something on the host to be gone."""


class OperationKind(StrEnum):
    """What a person or tool asked for."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class OperationState(StrEnum):
    """How far it is; ``superseded`` means a later change took its place."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class Outlook(StrEnum):
    """What comes of waiting for an object; the last two are codes of problems."""

    READY = "ready"
    """It is as it is wanted now."""
    NOT_YET = "not-ready"
    """It is on its way, or what it stands on is away."""
    IN_VAIN = "will-not-be-ready"
    """Nothing but somebody's next decision will change it."""


class StepState(StrEnum):
    """One step of an operation."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class WorkKind(StrEnum):
    """What a work item points at."""

    CLUSTER = "cluster"
    HOST = "host"
    ACCESS = "access"
    REPORT = "report"
    NODE = "node"
    NOTICE = "notice"
    TEMPLATE = "template"
    WEBHOOK = "webhook"


class AccessState(StrEnum):
    """A kubeconfig asked for: minted by a worker, collected once."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    COLLECTED = "collected"


class ReportState(StrEnum):
    """An isolation report asked for; failed says that none could be made, not that a claim failed."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


class ClaimResult(StrEnum):
    """What came of one probe; only ``passed`` is good."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not-run"


class ServiceKind(StrEnum):
    """A process that tells it is alive."""

    RELAY = "relay"
    WORKER = "worker"


class FindingKind(StrEnum):
    """What was found amiss on a host."""

    GUARD_RAIL_CHANGED = "guard-rail-changed"
    """A policy, quota, limit, label or role is not as Atoll left it."""
    GUARD_RAIL_REMOVED = "guard-rail-removed"
    """One of them is gone."""
    GUARD_RAIL_ADDED = "guard-rail-added"
    """Something is there that Atoll did not make and that opens what its guard rails close."""
    DEVICES_OVER = "devices-over"
    """Pods hold more devices than the ledger gives their cluster."""
    DEVICES_MISPLACED = "devices-misplaced"
    """Pods hold devices on nodes that are not of their cluster's pool or class."""
    DEVICES_SHORT = "devices-short"
    """A pool has fewer devices than are granted there."""


class ActorSource(StrEnum):
    """How it is known who did something on a host."""

    AUDIT_LOG = "audit-log"
    """The host's API server wrote it down: evidence."""
    FIELD_MANAGER = "field-manager"
    """The object names a tool; anybody can choose that name, so it is a hint only."""
    UNKNOWN = "unknown"
    """Nothing tells."""


class ChainFault(StrEnum):
    """What was done to the audit log."""

    EDITED = "edited"
    """A row's content is not what was written."""
    MISSING = "missing"
    """A row is gone from the middle or the beginning."""
    OUT_OF_ORDER = "out-of-order"
    """A row is in another's place, or there twice."""
    UNLINKED = "unlinked"
    """A row does not follow from the one before: one of the two was replaced or put in."""
    CUT = "cut"
    """The end is gone."""
    REWRITTEN = "rewritten"
    """The chain holds, and contradicts a head that was kept: all of it was made anew from some row on."""
