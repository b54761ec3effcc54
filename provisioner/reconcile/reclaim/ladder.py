"""Devices come back: the steps from a lowered ledger to a host that was seen to hold no more than is left.

Each is decided by what the host shows now, and noted once it was seen done; so a pass may die anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from provisioner.outcomes import Done, Wait
from provisioner.ports import PODS, RESOURCE_QUOTAS
from provisioner.reconcile import devices, labels, limits
from provisioner.reconcile.reclaim import ending
from provisioner.reconcile.reclaim.holders import Holder, holders
from tenancy.enums import ConditionType, Reason
from tenancy.grant_enums import Rung
from tenancy.rules import quantities

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope
    from tenancy.rules.specs import DesiredCluster, DeviceShare

_SLOW: Final = 10.0
"""Seconds between looks at pods that may run as long as they like."""
_QUICK: Final = 0.5
_COUNTS: Final = 20
_STEP: Final = 0.05
_TOLD: Final = 5
"""Pods that a message names."""


def needed(desired: DesiredCluster) -> bool:
    """Whether devices are on their way back, or the condition still says so."""
    known = (c for c in desired.conditions if c.type is ConditionType.DEVICES_SETTLED)
    return leaving(desired) or any(not c.true for c in known)


def leaving(desired: DesiredCluster) -> bool:
    """Whether devices are on their way back."""
    return any(share.held > share.amount for share in desired.devices)


def give_back(scope: Scope) -> Outcome:
    """Takes every class that has to give some step further."""
    shares = [share for share in scope.desired.devices if share.held > share.amount]
    outcomes = [_Climb(scope, share, set(share.rungs)).on() for share in shares]
    waits = [outcome for outcome in outcomes if isinstance(outcome, Wait)]
    return min(waits, key=lambda wait: wait.after) if waits else Done()


@dataclass
class _Climb:
    """One class of one cluster on the ladder."""

    scope: Scope
    share: DeviceShare
    done: set[str]
    quota: Object = field(default_factory=dict)
    pods: list[Object] = field(default_factory=list)

    def on(self) -> Outcome:
        """As far as the host lets it."""
        seen, name = self.scope.namespace, self.scope.desired.namespace
        if seen is None:
            self._did(Rung.CONFIRM, {"namespace": name, "absent": True})
            return Done()
        if not labels.ours(self.scope.desired, seen):
            message = (
                f"namespace {name} does not wear our labels: what runs there is not judged before it does"
            )
            return Wait(_SLOW, Reason.CONFLICT, message)
        return self._shrunk() or self._stepped_down() or self._emptied() or self._confirmed()

    @property
    def left(self) -> int:
        """What the quota's key is to be; classes that share a resource add up."""
        return devices.amounts(self.scope.desired.devices)[self.share.resource]

    @property
    def holders(self) -> tuple[Holder, ...]:
        return holders(self.pods, self.share, self.scope.desired.devices)

    @property
    def held(self) -> int:
        return sum(holder.devices for holder in self.holders)

    def _shrunk(self) -> Wait | None:
        """No new pod gets a device: the quota is lowered, and the host goes by it."""
        key, wanted = devices.key(self.share.resource), str(self.left)
        self._look_at_quota()
        if not self.quota and self.scope.desired.effective is not None:
            self.scope.apply(RESOURCE_QUOTAS, limits.quota(self.scope.desired, self.scope.desired.effective))
            self._look_at_quota()
        if not self.quota:
            return Wait(_SLOW, Reason.WAITING, f"waiting for the quota {limits.QUOTA} to be put back")
        if self.quota["spec"]["hard"].get(key) != wanted:
            body = {"spec": {"hard": {key: wanted}}}
            self.scope.host.kube.merge(RESOURCE_QUOTAS, limits.QUOTA, body, self.scope.desired.namespace)
            self._look_at_quota()
        self._look_at_pods()
        self._did(Rung.FREEZE, self._evidence())
        for _ in range(_COUNTS):
            if self.quota.get("status", {}).get("hard", {}).get(key) == wanted:
                self._look_at_pods()  # whoever got past the old quota is there by now, or in its count
                self._did(Rung.SHRINK, self._evidence())
                return None
            self.scope.pause(_STEP)
            self._look_at_quota()
        return Wait(_QUICK, Reason.WAITING, f"waiting for the host to go by {wanted} {self.share.resource}")

    def _stepped_down(self) -> Wait | None:
        """Further grants that are over still cover some: what is below a step on the way is back already."""
        below = [one.devices for one in self.share.steps if one.devices >= self.held > self.share.amount]
        if not below or not self._seen_within(min(below)):
            return None
        self._confirm(min(below))
        return Wait(_QUICK, Reason.WAITING, f"{self._still()}: {self._until()}")

    def _emptied(self) -> Wait | None:
        """Nobody holds more than is left: pods end by themselves, on request, or at the deadline."""
        if self.held <= self.share.amount:
            return None
        rounds = self._rounds()
        if not rounds:
            return Wait(_SLOW, Reason.WAITING, f"{self._still()}: they may run to their end")
        if all(one.asked or one.late for one in rounds):
            told = {
                "told": sorted({name for one in rounds for name in one.told}),
                "untold": next((one.untold for one in rounds if one.untold), ""),
            }
            self._did(Rung.ASK, {**self._evidence(), **told})
        return Wait(min(one.after for one in rounds), Reason.WAITING, f"{self._still()}: {self._until()}")

    def _rounds(self) -> list[ending.Round]:
        """One for each step that pods have to follow: who ends for one is not counted for the next."""
        rounds: list[ending.Round] = []
        rest = self.holders
        for step in self.share.steps:
            over = sum(holder.devices for holder in rest) - step.devices
            if over > 0:
                rounds.append(ending.Round(self.scope, self.share, step.deadline, rest, over))
                rounds[-1].ask_and_end()
                rest = tuple(holder for holder in rest if holder not in rounds[-1].going)
        return rounds

    def _confirmed(self) -> Outcome:
        """No pod, and no pod on its way in, beyond what is left."""
        if not self._seen_within(self.share.amount):
            key = devices.key(self.share.resource)
            return Wait(_QUICK, Reason.WAITING, f"waiting for the host to count at most {self.left} {key}")
        self._confirm(self.share.amount)
        return Done()

    def _seen_within(self, most: int) -> bool:
        """Read once more: neither the pods that are there nor those that the quota counts hold more."""
        self._look_at_quota()
        self._look_at_pods()
        used = self.quota.get("status", {}).get("used", {}).get(devices.key(self.share.resource), "0")
        return self.held <= most and quantities.parse(used) <= self.left - self.share.amount + most

    def _confirm(self, left: int) -> None:
        if Rung.ASK.value in self.done:
            self._did(Rung.EVICT, self._evidence())
        self._did(Rung.CONFIRM, self._evidence(), left)

    def _look_at_quota(self) -> None:
        kube, namespace = self.scope.host.kube, self.scope.desired.namespace
        self.quota = kube.get(RESOURCE_QUOTAS, limits.QUOTA, namespace) or {}

    def _look_at_pods(self) -> None:
        self.pods = self.scope.host.kube.find(PODS, self.scope.desired.namespace)

    def _did(self, rung: Rung, evidence: dict[str, Any], left: int = 0) -> None:
        if rung.value not in self.done:
            self.scope.stepped(self.share, rung, evidence, left)
            self.done.add(rung.value)

    def _evidence(self) -> dict[str, Any]:
        """As the host shows it at this moment."""
        key, status = devices.key(self.share.resource), self.quota.get("status", {})
        return {
            "namespace": self.scope.desired.namespace,
            "uid": self.scope.incarnation,
            "quota": {
                "spec": self.quota.get("spec", {}).get("hard", {}).get(key, ""),
                "hard": status.get("hard", {}).get(key, ""),
                "used": status.get("used", {}).get(key, ""),
            },
            "pods": [
                {"name": h.name, "inside": h.inside, "node": h.node, "devices": h.devices}
                for h in self.holders
            ],
        }

    def _still(self) -> str:
        over, names = self.held - self.share.amount, [holder.inside or holder.name for holder in self.holders]
        more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
        return f"{over} {self.share.key} are still held by {', '.join(names[:_TOLD])}{more}"

    def _until(self) -> str:
        """By when how many are left at most."""
        ways = (
            f"at most {one.devices} from {one.deadline:%Y-%m-%d %H:%M} UTC on" for one in self.share.steps
        )
        return ", ".join(ways)
