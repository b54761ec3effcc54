"""What a host shows beside what the ledger gives: what is amiss. Pure.

A device that was laundered under another cluster's or another resource's name shows where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from provisioner.reconcile import devices
from provisioner.reconcile.reality.held import resource_of
from provisioner.reconcile.reclaim import holders
from tenancy.enums import FindingKind
from tenancy.rules import quantities, reality
from tenancy.rules.drift import Difference
from tenancy.rules.pools import MOVING, POOL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioner.ports import Object
    from provisioner.reconcile.reality.held import Held
    from tenancy.rules.nodes import NodeFacts
    from tenancy.rules.reality import Account

_SETTLE: Final = "nothing more is given to this tenant before it is settled: {}"


@dataclass(frozen=True)
class Fault:
    """Something amiss, and the object whose last writer is to blame."""

    kind: FindingKind
    subject: str
    details: tuple[Difference, ...]
    next_step: str
    witness: Object | None = None
    """The youngest pod concerned; the quota where ``None``."""


def judge(seen: Held, now: Account | None, nodes: Mapping[str, NodeFacts]) -> tuple[Fault, ...]:
    """What is amiss with one cluster; ``now`` is the ledger after the look."""
    allowed = reality.allowed([seen.account, now or seen.account])
    return (*_over(seen, allowed), *_misplaced(seen, nodes))


def _over(seen: Held, allowed: Mapping[str, int]) -> Iterable[Fault]:
    hard, used_ = ((seen.quota or {}).get("status", {}).get(part, {}) for part in ("hard", "used"))
    named = {resource_of(key) for key in (*hard, *used_)} - {""}
    asked = {name for pod in seen.pods for name in holders.asked(pod)}
    for resource in sorted({*named, *asked, *allowed}):
        most, key = allowed.get(resource, 0), devices.key(resource)
        by_pod = [(pod, holders.devices(pod, resource)) for pod in seen.pods]
        total = sum(n for _, n in by_pod)
        details = []
        if total > most:
            details.append(Difference(f"pods {resource}", f"at most {most}", str(total)))
        if quantities.parse(used_.get(key, "0")) > most:
            details.append(Difference(f"used {key}", f"at most {most}", used_[key]))
        if key in hard and quantities.parse(hard[key]) > most:
            details.append(Difference(f"quota {key}", f"at most {most}", hard[key]))
        if key not in hard and (total or most) and seen.account.built:
            details.append(Difference(f"quota {key}", str(most), ""))
        if details:
            holding = [pod for pod, n in by_pod if n] if total > most else []
            witness = max(
                holding, key=lambda p: str(p["metadata"].get("creationTimestamp", "")), default=None
            )
            step = _SETTLE.format("end the pods beyond it, or put the quota back (Atoll does)")
            yield Fault(FindingKind.DEVICES_OVER, f"Devices {resource}", tuple(details), step, witness)


def _misplaced(seen: Held, nodes: Mapping[str, NodeFacts]) -> Iterable[Fault]:
    for share in seen.account.shares:
        pool = seen.account.pools.get(share.key, "")
        strays = []
        for holder in holders.holders(seen.pods, share, seen.account.shares):
            node = nodes.get(holder.node)
            if node is not None and not _belongs(node, pool, share.labels):
                strays.append(holder)
        if strays:
            details = tuple(
                Difference(f"pod {s.name}", f"pool {pool} {share.labels or ''}".strip(), f"node {s.node}")
                for s in strays
            )
            by_name = {pod["metadata"]["name"]: pod for pod in seen.pods}
            step = _SETTLE.format("end these pods, or bring the nodes back into the pool")
            yield Fault(
                FindingKind.DEVICES_MISPLACED,
                f"Devices {share.key} elsewhere",
                details,
                step,
                by_name[strays[-1].name],
            )


def _belongs(node: NodeFacts, pool: str, labels: Mapping[str, str]) -> bool:
    """Of the pool and the model; a node on the move is being emptied."""
    moving = any(taint.key == MOVING for taint in node.taints)
    return moving or (node.labels.get(POOL) == pool and labels.items() <= node.labels.items())
