"""What a tenant may use on the host: a ResourceQuota and the defaults that make every pod count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Wait
from provisioner.ports import LIMIT_RANGES, RESOURCE_QUOTAS
from provisioner.reconcile import devices, labels
from provisioner.release import control_plane
from provisioner.release.digest import of_objects
from tenancy.enums import Reason
from tenancy.rules import quantities

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope
    from tenancy.rules.specs import DesiredCluster, EffectiveSpec

QUOTA: Final = "atoll-quota"
DEFAULTS: Final = "atoll-defaults"
_COUNTS_WITHIN: Final = 1.0
_STEP: Final = 0.05


def apply(scope: Scope) -> Outcome:
    """Sets both and waits until the quota counts: before that the host admits no pod at all."""
    wanted = quota(scope.desired, scope.effective)
    scope.apply(RESOURCE_QUOTAS, wanted)
    scope.apply(LIMIT_RANGES, defaults(scope.desired))
    key = ("counted", scope.incarnation, of_objects(wanted))
    if not scope.memory.recall(*key):
        if not _counts(scope, wanted):
            return Wait(0.2, Reason.WAITING, "waiting for the host to count what the namespace uses")
        scope.memory.remember(*key)
    return Done()


def quota(desired: DesiredCluster, effective: EffectiveSpec) -> Object:
    """The tenant's amounts plus what the platform itself runs in the namespace."""
    wish, own = effective.resources, control_plane.total()
    # The host counts a RuntimeClass's overhead for every pod: ours cost the tenant nothing.
    extra = effective.overhead.of(len(control_plane.SANDBOXED))
    storage = wish.storage + control_plane.store_bytes(effective.persistence)
    hard = {
        "requests.cpu": quantities.millis(wish.cpu + own.cpu_request + extra.cpu),
        "limits.cpu": quantities.millis(wish.cpu + own.cpu_limit + extra.cpu),
        "requests.memory": quantities.mebibytes(wish.memory + own.memory_request + extra.memory),
        "limits.memory": quantities.mebibytes(wish.memory + own.memory_limit + extra.memory),
        "requests.storage": quantities.mebibytes(storage),
        "pods": str(wish.pods + len(control_plane.PODS)),
        **objects(wish.pods),
        **{key: str(n) for key, n in control_plane.SERVICES[desired.host.exposure].items()},
        **devices.hard(desired.host.facts, desired.devices),
    }
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": labels.metadata(desired, QUOTA),
        "spec": {"hard": hard},
    }


def objects(pods: int) -> dict[str, str]:
    """Objects of each kind that the syncer may leave on the host, by the pods that may run at a time.

    They fill the host's database, which all tenants share. vCluster brings over only what pods use: some
    config maps and Secrets each, and a token. Pods that ended count too; jobs leave theirs behind.
    """
    return {
        "count/configmaps": str(100 + 4 * pods),
        "count/endpoints": str(100 + 2 * pods),
        "count/persistentvolumeclaims": str(50 + 2 * pods),
        "count/pods": str(100 + 10 * pods),
        "count/secrets": str(100 + 6 * pods),
        "count/services": str(100 + 2 * pods),
    }


def closed(desired: DesiredCluster) -> Object:
    """Of a quarantined cluster: what runs elsewhere in the namespace's budget is kept, no pod may start."""
    wanted = quota(desired, desired.effective) if desired.effective else None
    hard = wanted["spec"]["hard"] if wanted else {}
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": labels.metadata(desired, QUOTA),
        "spec": {"hard": {**hard, "pods": "0"}},
    }


def defaults(desired: DesiredCluster) -> Object:
    """For containers that say nothing, so that a plain ``kubectl run`` fits into a small quota."""
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": labels.metadata(desired, DEFAULTS),
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "defaultRequest": {"cpu": "50m", "memory": "64Mi"},
                    "default": {"cpu": "500m", "memory": "512Mi"},
                }
            ]
        },
    }


def _counts(scope: Scope, wanted: Object) -> bool:
    """Whether the quota's controller has taken these limits up."""
    for _ in range(int(_COUNTS_WITHIN / _STEP)):
        seen = scope.host.kube.get(RESOURCE_QUOTAS, QUOTA, scope.desired.namespace)
        counted = (seen or {}).get("status", {}).get("hard", {})
        if _in_force(wanted["spec"]["hard"], counted):
            return True
        scope.pause(_STEP)
    return False


def _in_force(wanted: dict[str, str], counted: dict[str, str]) -> bool:
    """Every key, and devices in exactly these amounts: what was raised or lowered goes by the new number."""
    exact = [key for key in wanted if "/" in key]
    return counted.keys() >= wanted.keys() and all(counted[key] == wanted[key] for key in exact)
