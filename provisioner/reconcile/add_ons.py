"""Add-ons: objects of the platform inside the tenant's cluster, put back at each look and removed when they are wanted no more.

They are applied through the tenant's API, so what they start is a tenant's pod like any other. The set is marked
as an ApplySet: each object bears the set's label, and a ConfigMap tells which kinds to look through for it. Whoever
tampers with that ConfigMap makes Atoll look at more or fewer kinds, and nothing else: only what bears the label is removed.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from copy import deepcopy
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Stall, Transient, Wait
from provisioner.ports import CONFIG_MAPS, Rejected
from provisioner.reconcile import access
from tenancy.enums import Reason
from tenancy.rules.add_ons import DEFAULT_NAMESPACE, called, is_kind, objects
from tenancy.rules.names import SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.outcomes import Outcome
    from provisioner.ports import Object, Served
    from provisioner.reconcile.scope import Scope
    from tenancy.rules.add_ons import AddOn

NAME: Final = "atoll-add-ons"
PART_OF: Final = "applyset.kubernetes.io/part-of"
_SET: Final = "applyset.kubernetes.io/id"
_HASH: Final = hashlib.sha256(f"{NAME}.{SYSTEM_NAMESPACE}.ConfigMap.".encode()).digest()
ID: Final = f"applyset-{urlsafe_b64encode(_HASH).decode().rstrip('=')}-v1"
LABEL: Final = f"{PART_OF}={ID}"
"""What each object of the set bears."""
_KINDS: Final = "kinds"
_FIRST: Final = ("Namespace", "CustomResourceDefinition")
"""What others need to be there."""
KEPT: Final = frozenset({"Namespace", "CustomResourceDefinition", "PersistentVolumeClaim"})
"""What is never removed: other people's things go with it."""
_LOOK: Final = 0.5


def applied(scope: Scope) -> Outcome:
    """Applies what is wanted, then removes what is wanted no more."""
    wanted = scope.desired.add_ons
    if gone := scope.effective.add_ons.keys() - {one.name for one in wanted}:
        told = f"{', '.join(sorted(gone))} is in the catalogue no more: an admin publishes it again"
        return Stall(Reason.ADD_ON_REFUSED, told)
    if not wanted and scope.desired.generation == 1:
        return Done()  # there never was one
    key = ("add-ons", scope.incarnation, scope.desired.generation, tuple((a.name, a.version) for a in wanted))
    if scope.memory.recall(*key):
        return Done()
    ending = _applied(scope, wanted)
    if isinstance(ending, Done):
        scope.memory.remember(*key)
    return ending


def _applied(scope: Scope, wanted: Sequence[AddOn]) -> Outcome:
    before = _kinds(scope)
    bodies = [(add_on, body) for add_on in wanted for body in objects(add_on.manifests)]
    now = {_written(body) for _, body in bodies}
    if now - before:
        _remember(scope, before | now)
    kept: set[tuple[str, ...]] = set()
    stalls = []
    for add_on, body in sorted(bodies, key=lambda one: one[1]["kind"] not in _FIRST):
        ending = _apply(scope, add_on, body, kept)
        if isinstance(ending, Wait):
            return ending
        if ending is not None:
            stalls.append(ending)
            scope.refused.setdefault(add_on.name, ending.message)
    if stalls:
        return stalls[0]
    _prune(scope, before, kept)
    if before - now:
        _remember(scope, now)
    return Done()


def _apply(scope: Scope, add_on: AddOn, body: Object, kept: set[tuple[str, ...]]) -> Wait | Stall | None:
    """One object; a refusal is told of this object, and the others go on."""
    told = f"{add_on}, {called(body)}"
    served = serving(scope, body["apiVersion"], body["kind"])
    if served is None:
        return _unknown(scope, told, body)
    placed = _placed(body, served)
    try:
        scope.tenant.apply(served.kind, placed)
    except Rejected as fault:
        return Stall(Reason.ADD_ON_REFUSED, f"{told}: {fault.message}; choose another version, or none")
    except Transient as fault:
        raise Transient(f"{told}: {fault.message}", fault.reason) from fault
    kept.add(_identity(_written(body), placed))
    return None


def _unknown(scope: Scope, told: str, body: Object) -> Wait | Stall:
    """A kind that an object of the add-ons defines is served soon; any other one is not there."""
    group = str(body["apiVersion"]).rpartition("/")[0]
    for add_on in scope.desired.add_ons:
        for one in objects(add_on.manifests):
            if one["kind"] == _FIRST[1] and one.get("spec", {}).get("group") == group:
                return Wait(_LOOK, Reason.WAITING, f"{told}: waiting for its kind to be served")
    message = f"{told}: this cluster does not serve {body['apiVersion']} {body['kind']}: choose another version, or none"
    return Stall(Reason.ADD_ON_REFUSED, message)


def _prune(scope: Scope, kinds: set[str], kept: set[tuple[str, ...]]) -> None:
    """Removes what bears the set's label and is wanted no more."""
    for written in sorted(kinds):
        api, name = written.split()
        served = None if name in KEPT else serving(scope, api, name)
        if served is None:
            continue
        for seen in scope.tenant.find(served.kind, labels=LABEL, brief=True):
            metadata = seen["metadata"]
            if _identity(written, seen) not in kept and "deletionTimestamp" not in metadata:
                where = metadata.get("namespace", "")
                scope.tenant.delete(served.kind, metadata["name"], where, uid=metadata["uid"])


def _placed(body: Object, served: Served) -> Object:
    """With the set's mark, where it belongs."""
    found = deepcopy(body)
    metadata = found["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), PART_OF: ID}
    if served.namespaced:
        metadata.setdefault("namespace", DEFAULT_NAMESPACE)
    else:
        metadata.pop("namespace", None)
    return found


def serving(scope: Scope, api: str, kind: str) -> Served | None:
    """Where the cluster's API has objects of a kind; ``None`` where it knows none such."""
    key = ("served", scope.incarnation, api, kind)
    found: Served | None = scope.memory.recall(*key) or scope.tenant.served(api, kind)
    if found is not None:
        scope.memory.remember(*key, value=found)
    return found


def _kinds(scope: Scope) -> set[str]:
    """Those of which there may be objects, as they were noted."""
    noted = scope.tenant.get(CONFIG_MAPS, NAME, SYSTEM_NAMESPACE) or {}
    lines = str((noted.get("data") or {}).get(_KINDS, "")).splitlines()
    return {line for line in lines if is_kind(line)}


def _remember(scope: Scope, kinds: set[str]) -> None:
    if not kinds:
        scope.tenant.delete(CONFIG_MAPS, NAME, SYSTEM_NAMESPACE)
        return
    access.prepare_namespace(scope)
    metadata = {"name": NAME, "namespace": SYSTEM_NAMESPACE, "labels": {_SET: ID}}
    data = {_KINDS: "\n".join(sorted(kinds))}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    scope.tenant.apply(CONFIG_MAPS, body)


def _written(body: Object) -> str:
    return f"{body['apiVersion']} {body['kind']}"


def _identity(written: str, body: Object) -> tuple[str, ...]:
    """Whatever version of its API it is read in."""
    api, kind = written.split()
    metadata = body["metadata"]
    return (api.rpartition("/")[0], kind, metadata.get("namespace", ""), metadata["name"])
