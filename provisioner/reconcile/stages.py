"""Which steps a pass takes, and in which order: to build a cluster, to let it sleep, to shut it, to end it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.reconcile import (
    access,
    add_ons,
    canary,
    canary_packets,
    control_plane,
    dns,
    host,
    limits,
    namespace,
    network,
    pause,
    quarantine,
    release,
    running,
    sandbox,
    stopping,
    teardown,
)
from provisioner.reconcile.engine import Step
from provisioner.reconcile.reclaim import ladder
from tenancy.enums import ConditionType

if TYPE_CHECKING:
    from provisioner.reconcile.engine import Stage
    from tenancy.rules.specs import DesiredCluster

BUILD: Final[tuple[Stage, ...]] = (
    (Step("Host", ConditionType.HOST_REACHABLE, host.offered),),
    (Step("Namespace", ConditionType.NAMESPACE_READY, namespace.ensure),),
    (Step("Limits", ConditionType.LIMITS_APPLIED, limits.apply),),
    (Step("Network rules", ConditionType.NETWORK_ISOLATED, network.isolate),),
    (Step("Guard rails", ConditionType.GUARD_RAILS_PROVEN, canary.proven),),
    (Step("Control plane release", ConditionType.RELEASED, release.ensure),),
    (
        Step("API server", ConditionType.CONTROL_PLANE_AVAILABLE, control_plane.available),
        Step("Traffic", ConditionType.TRAFFIC_BLOCKED, canary_packets.proven),
    ),
    (
        Step("Sandbox", ConditionType.SANDBOX_ENFORCED, sandbox.enforced),
        Step("DNS", ConditionType.DNS_AVAILABLE, dns.available),
        Step("Access", ConditionType.ACCESS_ISSUED, access.issued),
    ),
    (Step("Add-ons", ConditionType.ADD_ONS_APPLIED, add_ons.applied),),
)
"""Guard rails before the release; what needs only the tenant's API goes side by side."""

TEARDOWN: Final[tuple[Stage, ...]] = (
    (Step("Host", ConditionType.HOST_REACHABLE, host.reach),),
    (Step("Control plane and access", ConditionType.DELETING, teardown.uninstall),),
    (Step("Namespace", ConditionType.DELETING, teardown.clear),),
    (Step("Nothing left", ConditionType.DELETING, teardown.prove),),
)

RAILS: Final[tuple[Stage, ...]] = BUILD[1:4]
"""What guards the namespace on the host, with the amounts that the spec asks for."""

PAUSE: Final[tuple[Stage, ...]] = (
    (Step("Host", ConditionType.HOST_REACHABLE, host.reach),),
    (Step("Control plane stopped", ConditionType.PAUSED, stopping.stop_control_plane),),
    (Step("Pods stopped", ConditionType.PAUSED, pause.stop_pods),),
    (Step("Nothing runs", ConditionType.PAUSED, pause.prove),),
)
"""One after the other: the syncer must not see the pods go."""

QUARANTINE: Final[tuple[Stage, ...]] = (
    (Step("Host", ConditionType.HOST_REACHABLE, host.reach),),
    (
        Step("Nothing starts", ConditionType.QUARANTINED, quarantine.close),
        Step("Control plane stopped", ConditionType.QUARANTINED, stopping.stop_control_plane),
        Step("Pods stopped", ConditionType.QUARANTINED, quarantine.stop_pods),
    ),
    (Step("Nothing runs", ConditionType.QUARANTINED, quarantine.prove),),
)
"""In this order, and each though another fails: what can be stopped is stopped."""

GIVE_BACK: Final[tuple[Stage, ...]] = ((Step("Host", ConditionType.HOST_REACHABLE, host.reach),),)
"""Of a cluster that waits for approval and still holds devices of a grant that is over."""

DEVICES: Final = Step("Devices given back", ConditionType.DEVICES_SETTLED, ladder.give_back)
RUNNING: Final = Step("Add-ons running", ConditionType.ADD_ONS_READY, running.looked_at)


def of(desired: DesiredCluster) -> tuple[Stage, ...]:
    """The stages of a pass over this cluster."""
    if desired.deleting:
        return TEARDOWN
    if desired.quarantined:
        return QUARANTINE
    if desired.paused:
        # What was never built is not begun for its sleep.
        guarded = bool(desired.guard_rails) and desired.effective is not None
        return (*PAUSE, *RAILS) if guarded else PAUSE
    return GIVE_BACK if desired.waits_for_approval else BUILD


def beside(desired: DesiredCluster) -> Stage:
    """What keeps a cluster from nothing, and what nothing of a cluster keeps."""
    leaving = (DEVICES,) if ladder.needed(desired) else ()
    return (*leaving, RUNNING) if of(desired) is BUILD else leaving
