"""Which pods of a host's namespace hold devices, and who of them ends when some must go. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from provisioner.reconcile import labels
from provisioner.reconcile.nodes import is_extended
from provisioner.reconcile.pods import ended
from tenancy.rules import quantities

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from provisioner.ports import Object
    from tenancy.rules.specs import DeviceShare

_NAME: Final = "vcluster.loft.sh/object-name"
_NAMESPACE: Final = "vcluster.loft.sh/object-namespace"


@dataclass(frozen=True)
class Holder:
    """A pod that holds devices, or will as soon as it has a node."""

    name: str
    uid: str
    devices: int
    node: str
    """Empty while it has none."""
    made: str
    """When; as the host's API prints it."""
    ending: bool
    inside: str
    """``namespace/name`` in the tenant's cluster, as the syncer says; empty when it does not."""


def devices(pod: Object, resource: str) -> int:
    """What a pod counts: the larger of its containers together and of what its first containers need."""
    spec = pod.get("spec", {})
    beside = most = 0
    for container in spec.get("initContainers") or []:
        amount = _amount(container, resource)
        most = max(most, beside + amount)
        if container.get("restartPolicy") == "Always":  # a sidecar: it runs on beside all that follow
            beside += amount
    return max(most, beside + sum(_amount(c, resource) for c in spec.get("containers") or []))


def asked(pod: Object) -> set[str]:
    """Names of all extended resources that a pod asks for."""
    spec = pod.get("spec", {})
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    given = (c.get("resources", {}).get(part) or {} for c in containers for part in ("limits", "requests"))
    return {name for amounts in given for name in amounts if is_extended(name)}


def holders(pods: Iterable[Object], share: DeviceShare, shares: Iterable[DeviceShare]) -> tuple[Holder, ...]:
    """The pods that have not run to their end and hold devices of this class."""
    rivals = [one for one in shares if one.resource == share.resource]
    return tuple(
        _holder(pod, amount)
        for pod in pods
        if not ended(pod)
        and (amount := devices(pod, share.resource))
        and (len(rivals) == 1 or _of(pod, share, rivals))
    )


def to_go(found: Sequence[Holder], over: int, protected: Collection[str] = ()) -> tuple[Holder, ...]:
    """Who ends so that ``over`` devices come back: as few as do.

    Those that end anyway first, then those without a node, then the youngest; ``protected`` uids last.
    """
    young = sorted(found, key=lambda h: (h.made, h.name), reverse=True)
    order = sorted(young, key=lambda h: (not h.ending, h.uid in protected, bool(h.node)))
    chosen: list[Holder] = []
    for holder in order:
        if _sum(chosen) < over:
            chosen.append(holder)
    for holder in reversed(chosen.copy()):
        if _sum(chosen) - holder.devices >= over:
            chosen.remove(holder)
    return tuple(chosen)


def _sum(found: Iterable[Holder]) -> int:
    return sum(holder.devices for holder in found)


def _of(pod: Object, share: DeviceShare, rivals: Sequence[DeviceShare]) -> bool:
    """Two classes of one resource differ by their nodes, which pods must select; one that tells of neither counts for both."""
    selected = (pod.get("spec", {}).get("nodeSelector") or {}).items()
    fitting = [one.key for one in rivals if one.labels and one.labels.items() <= selected]
    return share.key in fitting or not fitting


def _amount(container: Object, resource: str) -> int:
    given = container.get("resources", {})
    wanted = (given.get("requests") or {}).get(resource) or (given.get("limits") or {}).get(resource) or "0"
    return int(quantities.parse(str(wanted)))


def _holder(pod: Object, amount: int) -> Holder:
    meta = pod["metadata"]
    worn = meta.get("annotations") or {}
    inside = f"{worn[_NAMESPACE]}/{worn[_NAME]}" if _NAME in worn and _NAMESPACE in worn else ""
    return Holder(
        name=meta["name"],
        uid=str(meta["uid"]),
        devices=amount,
        node=pod["spec"].get("nodeName") or "",
        made=str(meta.get("creationTimestamp", "")),
        ending=labels.terminating(pod),
        inside=inside,
    )
