"""Whether a Kubernetes object is what its spec asks for by now, told from the object alone. Pure.

The rules are those of Kubernetes' own tools (kstatus): a controller that has not seen the spec yet makes an object
unfinished, then each kind tells in its own way. What has no status is there as soon as it is accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from provisioner.reconcile.pods import gravest, shorten
from tenancy.enums import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provisioner.ports import Object


class Trouble(NamedTuple):
    """Why an object does not run."""

    reason: Reason
    """That it does not, yet or any more; or that it has given up."""
    message: str


def trouble(api: str, kind: str, seen: Object | None) -> Trouble | None:
    """What is amiss with an object of this kind; ``None`` when it runs, or is there and cannot run."""
    if seen is None:
        return _not_yet("it is not there")
    if "deletionTimestamp" in seen["metadata"]:
        return _not_yet("it is being deleted")
    rule = _RULES.get(_key(api, kind), _by_conditions)
    observed, wanted = _status(seen).get("observedGeneration"), seen["metadata"].get("generation", 0)
    if (observed is None and rule in _REPORTING) or (observed is not None and _number(observed) < wanted):
        return _not_yet("its controller has not looked at it yet")
    return rule(seen)


def tells(api: str, kind: str) -> bool:
    """Whether objects of this kind can be told to run: those with a rule, and kinds that others brought."""
    group = api.rpartition("/")[0]
    return _key(api, kind) in _RULES or ("." in group and not group.endswith(".k8s.io"))


def _key(api: str, kind: str) -> tuple[str, str]:
    return api.rpartition("/")[0], kind


def _not_yet(message: str) -> Trouble:
    return Trouble(Reason.ADD_ON_NOT_RUNNING, message)


def _failed(message: str) -> Trouble:
    return Trouble(Reason.ADD_ON_FAILED, message)


def _deployment(seen: Object) -> Trouble | None:
    stuck = _condition(seen, "Progressing")
    if stuck.get("reason") == "ProgressDeadlineExceeded":
        return _failed(_words(stuck, "it made no progress within its deadline"))
    refused = _condition(seen, "ReplicaFailure")
    if refused.get("status") == "True":
        return _not_yet(_words(refused, "its pods are refused"))
    return _replicas(seen, "updatedReplicas", "availableReplicas")


def _stateful_set(seen: Object) -> Trouble | None:
    spec, status = seen.get("spec") or {}, _status(seen)
    update = spec.get("updateStrategy") or {}
    if update.get("type") == "OnDelete" or (update.get("rollingUpdate") or {}).get("partition"):
        return _replicas(seen, "readyReplicas")
    behind = status.get("currentRevision") != status.get("updateRevision")
    return _replicas(seen, "readyReplicas", "updatedReplicas" if behind else "readyReplicas")


def _replica_set(seen: Object) -> Trouble | None:
    return _replicas(seen, "availableReplicas")


def _daemon_set(seen: Object) -> Trouble | None:
    status = _status(seen)
    wanted = _number(status.get("desiredNumberScheduled"))
    on_delete = (seen.get("spec") or {}).get("updateStrategy", {}).get("type") == "OnDelete"
    counted = ("numberAvailable",) if on_delete else ("updatedNumberScheduled", "numberAvailable")
    return _counted(status, wanted, counted)


def _replicas(seen: Object, *counted: str) -> Trouble | None:
    status, wanted = _status(seen), _number((seen.get("spec") or {}).get("replicas", 1))
    missing = _counted(status, wanted, counted)
    if missing is None and _number(status.get("replicas")) > wanted:
        return _not_yet(f"{_number(status.get('replicas')) - wanted} of its former pods still run")
    return missing


def _counted(status: Mapping[str, Any], wanted: int, names: tuple[str, ...]) -> Trouble | None:
    has = min(_number(status.get(name)) for name in names)
    return _not_yet(f"{has} of {wanted} pods run as wanted") if has < wanted else None


def _job(seen: Object) -> Trouble | None:
    failed = _condition(seen, "Failed")
    if failed.get("status") == "True":
        return _failed(_words(failed, "it failed"))
    if _condition(seen, "Complete").get("status") == "True":
        return None
    suspended = (seen.get("spec") or {}).get("suspend") is True
    return _not_yet("it is suspended" if suspended else "it has not come to its end yet")


def _pod(seen: Object) -> Trouble | None:
    phase = _status(seen).get("phase")
    if phase == "Failed":
        return _failed(shorten(str(_status(seen).get("message") or "it ended with a failure")))
    if phase == "Succeeded" or _condition(seen, "Ready").get("status") == "True":
        return None
    found = gravest([seen])
    return _not_yet(found[1] if found else "it does not run yet")


def _claim(seen: Object) -> Trouble | None:
    phase = _status(seen).get("phase")
    if phase == "Lost":
        return _failed("its volume is gone")
    return (
        None if phase == "Bound" else _not_yet("it has no volume yet: a pod must use it, and storage be left")
    )


def _service(seen: Object) -> Trouble | None:
    balanced = (seen.get("spec") or {}).get("type") == "LoadBalancer"
    given = (_status(seen).get("loadBalancer") or {}).get("ingress")
    return _not_yet("it has no address yet") if balanced and not given else None


def _namespace(seen: Object) -> Trouble | None:
    return None if _status(seen).get("phase") == "Active" else _not_yet("it is not active yet")


def _definition(seen: Object) -> Trouble | None:
    names = _condition(seen, "NamesAccepted")
    if names.get("status") == "False":
        return _failed(_words(names, "its names are another definition's"))
    found = _condition(seen, "Established")
    return None if found.get("status") == "True" else _not_yet(_words(found, "its kind is not served yet"))


def _api_service(seen: Object) -> Trouble | None:
    found = _condition(seen, "Available")
    return None if found.get("status") == "True" else _not_yet(_words(found, "its API does not answer yet"))


def _by_conditions(seen: Object) -> Trouble | None:
    """As kinds of others tell by custom; one that tells nothing is taken to be in order."""
    stalled = _condition(seen, "Stalled")
    if stalled.get("status") == "True":
        return _failed(_words(stalled, "it is stalled"))
    working = _condition(seen, "Reconciling")
    if working.get("status") == "True":
        return _not_yet(_words(working, "its controller is at work"))
    ready = _condition(seen, "Ready")
    if ready.get("status", "True") == "True":
        return None
    return _not_yet(_words(ready, "it is not ready yet"))


_RULES: Final[Mapping[tuple[str, str], Callable[[Object], Trouble | None]]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Service"): _service,
    ("", "Namespace"): _namespace,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apiregistration.k8s.io", "APIService"): _api_service,
}
_REPORTING: Final = frozenset({_deployment, _stateful_set, _daemon_set, _replica_set})
"""Controllers of these tell which generation they saw."""


def _status(seen: Object) -> Mapping[str, Any]:
    status = seen.get("status")
    return status if isinstance(status, dict) else {}


def _condition(seen: Object, kind: str) -> Mapping[str, Any]:
    """Empty where it is not told; anybody may write the status of kinds of others."""
    listed = _status(seen).get("conditions")
    found = (c for c in listed if isinstance(c, dict)) if isinstance(listed, list) else ()
    return next((c for c in found if c.get("type") == kind), {})


def _words(condition: Mapping[str, Any], otherwise: str) -> str:
    return shorten(str(condition.get("message") or "")) or otherwise


def _number(value: Any) -> int:  # noqa: ANN401 - JSON of others
    return value if isinstance(value, int) else 0
