"""Whether what add-ons started runs: looked at beside the build, kind by kind, within bounded time, and told of each.

Nothing waits for it: a cluster is handed out while its add-ons start. It is looked at sooner, then ever more seldom, the longer something does not run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from provisioner.outcomes import Done, Fault, Stall, Wait
from provisioner.ports import EVENTS, PODS
from provisioner.reconcile import add_ons, pods
from provisioner.reconcile.health import Trouble, tells, trouble
from tenancy.enums import ConditionStatus, ConditionType, Reason
from tenancy.rules.add_on_states import AddOnState
from tenancy.rules.add_ons import DEFAULT_NAMESPACE, called, objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.outcomes import Outcome
    from provisioner.ports import Object, Served
    from provisioner.reconcile.scope import Scope
    from tenancy.rules.add_ons import AddOn
    from tenancy.rules.conditions import Condition

_BUDGET: Final = timedelta(seconds=10)
"""For all reads of a look; what was not read then is not known."""
_SOONEST: Final = 2.0
_LATEST: Final = 300.0
"""Seconds between two looks."""
_SHARE: Final = 0.1
"""Of the time for which something has not run, until it is looked at again."""
_REMEMBERED: Final = 86_400.0
_MAKERS: Final = frozenset({"apps/v1", "batch/v1"})
"""APIs whose objects make pods."""
_NEXT: Final = {
    Reason.ADD_ON_NOT_RUNNING: "it is looked at again; kubectl describe tells more",
    Reason.ADD_ON_FAILED: "delete it and it is made anew within minutes, or choose another version",
}


def looked_at(scope: Scope) -> Outcome | None:
    """Tells of each add-on; ``None`` where none is wanted, or this pass could not see to them."""
    applied = scope.record.seen(ConditionType.ADD_ONS_APPLIED)
    if applied is None or not (applied.true or applied.reason is Reason.ADD_ON_REFUSED):
        return None
    look = _Look(scope)
    scope.add_ons = tuple(look.at(one) for one in scope.desired.add_ons)
    if scope.effective.add_ons:
        return _outcome(scope, applied, scope.add_ons)
    scope.record.holds(ConditionType.ADD_ONS_READY)
    return None


def _outcome(scope: Scope, applied: Condition, states: tuple[AddOnState, ...]) -> Outcome:
    key = ("not running", scope.incarnation, tuple((one.name, one.version) for one in states))
    amiss = next((one for one in states if one.status is not ConditionStatus.TRUE), None)
    if not applied.true:
        return Stall(applied.reason, applied.message)  # as that step has it: only a change helps
    if amiss is None:
        scope.memory.forget(*key)
        return Done()
    since = scope.memory.recall(*key, within=_REMEMBERED)
    if since is None:
        since = scope.now()
        scope.memory.remember(*key, value=since)
    after = min(max((scope.now() - since).total_seconds() * _SHARE, _SOONEST), _LATEST)
    unknown = amiss.status is ConditionStatus.UNKNOWN
    if unknown:
        scope.record.doubts(ConditionType.ADD_ONS_READY, amiss.reason, amiss.message)
    return Wait(after, amiss.reason, amiss.message, holds=unknown)


@dataclass
class _Look:
    """One look at all of them; each kind is listed once."""

    scope: Scope
    _listed: dict[tuple[str, str], dict[tuple[str, str], Object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._until = self.scope.now() + _BUDGET

    def at(self, add_on: AddOn) -> AddOnState:
        refused = self.scope.refused.get(add_on.name)
        if refused:
            return _state(add_on, Trouble(Reason.ADD_ON_REFUSED, refused))
        try:
            return _state(add_on, next(self._troubles(add_on), None))
        except Fault as fault:
            told = f"{add_on}: {fault.message}"
            return AddOnState(add_on.name, add_on.version, ConditionStatus.UNKNOWN, fault.reason, told)

    def _troubles(self, add_on: AddOn) -> Iterator[Trouble]:
        for body in objects(add_on.manifests):
            api, kind = body["apiVersion"], body["kind"]
            served = add_ons.serving(self.scope, api, kind) if tells(api, kind) else None
            if served is None:
                continue
            if self.scope.now() > self._until:
                told = f"{add_on}: its objects could not be read within {_BUDGET.seconds} s; it is looked at again"
                yield Trouble(Reason.WAITING, told)
                return
            seen = self._seen(served, body)
            found = trouble(api, kind, seen)
            if found is not None:
                why = self._pods(seen) if found.reason is Reason.ADD_ON_NOT_RUNNING and api in _MAKERS else ""
                told = ": ".join(part for part in (f"{add_on}, {called(body)}", found.message, why) if part)
                yield Trouble(found.reason, f"{told}; {_NEXT[found.reason]}")

    def _seen(self, served: Served, body: Object) -> Object | None:
        key = (served.kind.api, served.kind.plural)
        if key not in self._listed:
            found = self.scope.tenant.find(served.kind, labels=add_ons.LABEL)
            self._listed[key] = {_place(one["metadata"]): one for one in found}
        where = body["metadata"].get("namespace") or DEFAULT_NAMESPACE
        return self._listed[key].get((where if served.namespaced else "", body["metadata"]["name"]))

    def _pods(self, seen: Object | None) -> str:
        """Why the pods of an object do not run; empty where it has none, or they tell nothing."""
        selector = ((seen or {}).get("spec") or {}).get("selector") or {}
        worn = selector.get("matchLabels")
        if seen is None or not worn:
            return ""
        labels = ",".join(f"{key}={value}" for key, value in worn.items())
        made = self.scope.tenant.find(PODS, seen["metadata"].get("namespace", ""), labels=labels)
        amiss = [pod for pod in made if not pods.ended(pod) and trouble("v1", "Pod", pod)]
        found = pods.gravest(amiss)
        if found is None:
            return ""
        return (self._refusal(amiss[0]) if found[0] is Reason.WAITING else "") or found[1]

    def _refusal(self, pod: Object) -> str:
        """Why the host does not take a pod, as vCluster's syncer tells it."""
        metadata = pod["metadata"]
        fields = f"involvedObject.kind=Pod,involvedObject.name={metadata['name']},type=Warning"
        events = self.scope.tenant.find(EVENTS, metadata.get("namespace", ""), fields=fields)
        return pods.shorten(events[-1]["message"]) if events else ""


def _state(add_on: AddOn, found: Trouble | None) -> AddOnState:
    if found is None:
        return AddOnState(add_on.name, add_on.version, ConditionStatus.TRUE, Reason.AS_WANTED)
    unknown = found.reason is Reason.WAITING
    status = ConditionStatus.UNKNOWN if unknown else ConditionStatus.FALSE
    return AddOnState(add_on.name, add_on.version, status, found.reason, found.message)


def _place(metadata: dict[str, Any]) -> tuple[str, str]:
    return metadata.get("namespace", ""), metadata["name"]
