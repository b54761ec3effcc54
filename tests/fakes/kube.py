"""A Kubernetes API server in memory: what it does, a real one does too (tests/contract)."""

from __future__ import annotations

import copy
import itertools
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from provisioner import ports
from provisioner.ports import (
    NAMESPACES,
    PODS,
    Busy,
    Kind,
    Object,
    Refused,
    Rehearsal,
    Rejected,
    Served,
    Token,
)
from tenancy.enums import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provisioner.ports import Guard

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.:]*[a-z0-9])?")
_CRDS = Kind("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition")
_JOBS = Kind("batch/v1", "jobs", "Job")
_BUILT_IN = (_CRDS, _JOBS, *(found for found in vars(ports).values() if isinstance(found, Kind)))
_WHOLE = frozenset({"Namespace", "Node", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"})
"""Of those, the ones that are in no namespace, as far as tests ask."""
Key = tuple[str, str, str]
"""Plural, namespace, name."""


@dataclass
class Store:
    """The objects of one cluster; several clients may look at it."""

    version: str = "v1.36.3"
    objects: dict[Key, Object] = field(default_factory=dict)
    applied: dict[Key, Object] = field(default_factory=dict)
    writes: list[tuple[str, Key]] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    """What pods said, by name."""
    unready: str = ""
    lenient: set[str] = field(default_factory=set)
    """Host policies that are there and refuse nothing."""
    refuse: Callable[[str, Key], Exception | None] = lambda _verb, _key: None
    """A fault to answer a request with, for tests of faults."""
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def put(self, kind: Kind, body: Object) -> Object:
        """What a controller of the cluster writes, past every client."""
        key = _key(kind, body["metadata"]["name"], body["metadata"].get("namespace", ""))
        metadata = body["metadata"]
        old = self.objects.get(key)
        metadata.setdefault("uid", old["metadata"]["uid"] if old else f"uid-{next(self._numbers)}")
        metadata.setdefault("creationTimestamp", datetime.now(UTC).isoformat())
        metadata["resourceVersion"] = str(next(self._numbers))
        self.objects[key] = body
        return body

    def seen(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """As a controller reads it."""
        return self.objects.get(_key(kind, name, namespace))

    def drop(self, kind: Kind, name: str, namespace: str = "") -> None:
        """The end of an object, for good."""
        key = _key(kind, name, namespace)
        self.objects.pop(key, None)
        self.applied.pop(key, None)

    def drop_namespace(self, name: str) -> None:
        """The end of a namespace with all in it."""
        for key in [k for k in self.objects if k[1] == name]:
            self.objects.pop(key)
            self.applied.pop(key, None)
        self.drop(NAMESPACES, name)

    def names(self, kind: Kind, namespace: str = "") -> list[str]:
        """Of all objects of a kind, sorted."""
        return sorted(k[2] for k in self.objects if k[0] == kind.plural and namespace in {"", k[1]})


class FakeKube:
    """``ports.Kube`` over a store; ``point`` is called before and after every effect."""

    def __init__(
        self, store: Store, guard: Guard, *, identity: str = "", point: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self._guard = guard
        self._identity = identity or "system:serviceaccount:atoll-system:atoll-provisioner"
        self._point = point

    def get(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        self._fault("get", _key(kind, name, namespace))
        return copy.deepcopy(self._store.seen(kind, name, namespace))

    def find(
        self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = "", brief: bool = False
    ) -> list[Object]:
        self._fault("find", _key(kind, "", namespace))
        items = [
            copy.deepcopy(o)
            for k, o in sorted(self._store.objects.items())
            if k[0] == kind.plural and namespace in {"", k[1]} and _matches(o, labels, fields)
        ]
        if brief:
            return [{"metadata": i["metadata"]} for i in items]
        # Objects of a list do not tell their kind.
        return [{k: v for k, v in i.items() if k not in {"apiVersion", "kind"}} for i in items]

    def served(self, api: str, kind: str) -> Served | None:
        self._fault("get", (kind, "", ""))
        found = next((one for one in _BUILT_IN if (one.api, one.name) == (api, kind)), None)
        if found is not None and found.name != "ClusterPolicy":
            return Served(found, found.name not in _WHOLE)
        for crd in (o for k, o in self._store.objects.items() if k[0] == _CRDS.plural):
            spec, version = crd["spec"], crd["spec"]["versions"][0]["name"]
            if (f"{spec['group']}/{version}", spec["names"]["kind"]) == (api, kind):
                return Served(Kind(api, spec["names"]["plural"], kind), spec["scope"] == "Namespaced")
        return None

    def apply(self, kind: Kind, body: Object) -> Object:
        key = self._writable("apply", kind, body)
        old = self._store.objects.get(key)
        new: Object = copy.deepcopy(old) if old else {"apiVersion": kind.api, "kind": kind.name}
        _remove(new, self._store.applied.get(key, {}), body)
        _merge(new, copy.deepcopy(body))
        if "spec" in new and new["spec"] != (old or {}).get("spec"):
            metadata: Object = new["metadata"]
            metadata["generation"] = metadata.get("generation", 0) + 1
        if new != old:
            self._store.put(kind, new)
            self._store.writes.append(("apply", key))
        self._store.applied[key] = copy.deepcopy(body)
        self._point()
        return copy.deepcopy(self._store.objects[key])

    def create(self, kind: Kind, body: Object) -> bool:
        key = self._writable("create", kind, body)
        if key in self._store.objects:
            return False
        self._store.put(kind, copy.deepcopy(body))
        self._store.writes.append(("create", key))
        self._point()
        return True

    def rehearse(self, kind: Kind, body: Object) -> Rehearsal:
        metadata = body["metadata"]
        key = _key(kind, metadata["name"], metadata.get("namespace", ""))
        self._fault("rehearse", key)
        if key[1] and self._store.seen(NAMESPACES, key[1]) is None:
            raise _not_found(("namespaces", "", key[1]))
        return Rehearsal(copy.deepcopy(body))

    def annotate(self, kind: Kind, name: str, annotations: Mapping[str, str], namespace: str = "") -> None:
        key = _key(kind, name, namespace)
        self._effect("annotate", key)
        seen = self._store.objects.get(key)
        if seen is None:
            raise _not_found(key)
        seen["metadata"].setdefault("annotations", {}).update(annotations)
        self._store.put(kind, seen)
        self._point()

    def label(self, kind: Kind, name: str, labels: Mapping[str, str | None], namespace: str = "") -> None:
        key = _key(kind, name, namespace)
        self._effect("label", key)
        seen = self._store.objects.get(key)
        if seen is None:
            raise _not_found(key)
        worn = {**seen["metadata"].get("labels", {}), **labels}
        seen["metadata"]["labels"] = {name: value for name, value in worn.items() if value is not None}
        self._store.writes.append(("label", key))
        self._point()

    def merge(self, kind: Kind, name: str, body: Object, namespace: str = "") -> Object:
        key = _key(kind, name, namespace)
        self._effect("merge", key)
        seen = self._store.objects.get(key)
        if seen is None:
            raise _not_found(key)
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted not in {None, seen["metadata"]["resourceVersion"]}:
            msg = f"{key}: the object has been modified"
            raise Busy(msg, Reason.HOST_UNREACHABLE)
        new = copy.deepcopy(seen)
        _patch(new, body)
        if new != seen:
            self._store.put(kind, new)
            self._store.writes.append(("merge", key))
        self._point()
        return copy.deepcopy(self._store.objects[key])

    def delete(self, kind: Kind, name: str, namespace: str = "", *, uid: str = "", grace: int = -1) -> bool:
        key = _key(kind, name, namespace)
        self._effect("delete", key)
        seen = self._store.objects.get(key)
        if seen is None:
            return False
        if uid and seen["metadata"]["uid"] != uid:
            msg = f"{key}: precondition failed"
            raise Busy(msg, Reason.HOST_UNREACHABLE)
        self._store.writes.append(("delete", key))
        if kind is NAMESPACES:
            seen["metadata"].setdefault("deletionTimestamp", datetime.now(UTC).isoformat())
        else:
            self._store.drop(kind, name, namespace)
        self._point()
        return True

    def evict(self, name: str, namespace: str, *, uid: str) -> bool:
        key = ("pods", namespace, name)
        self._effect("evict", key)
        seen = self._store.objects.get(key)
        if seen is None or seen["metadata"]["uid"] != uid:
            return True
        if self._budgeted(seen):
            return False
        self._store.writes.append(("evict", key))
        self._store.drop(PODS, name, namespace)
        self._point()
        return True

    def _budgeted(self, pod: Object) -> bool:
        """Whether a PodDisruptionBudget of its namespace lets none of its kind go."""
        meta = pod["metadata"]
        return any(
            k[:2] == ("poddisruptionbudgets", meta["namespace"])
            and b["spec"]["selector"]["matchLabels"].items() <= meta.get("labels", {}).items()
            and not b.get("status", {}).get("disruptionsAllowed", 0)
            for k, b in self._store.objects.items()
        )

    def token(self, account: str, namespace: str, seconds: int) -> Token:
        key = ("serviceaccounts", namespace, account)
        self._effect("token", key)
        if key not in self._store.objects:
            raise _not_found(key)
        self._point()
        return Token(f"token-of-{account}", datetime.now(UTC) + timedelta(seconds=seconds))

    def log(self, pod: str, namespace: str) -> str:
        key = ("pods", namespace, pod)
        self._fault("get", key)
        return self._store.logs.get(pod, "") if key in self._store.objects else ""

    def version(self) -> str:
        self._fault("version", ("", "", ""))
        return self._store.version

    def ready(self) -> str:
        self._fault("ready", ("", "", ""))
        return self._store.unready

    def whoami(self) -> str:
        return self._identity

    def _writable(self, verb: str, kind: Kind, body: Object) -> Key:
        metadata = body["metadata"]
        key = _key(kind, metadata["name"], metadata.get("namespace", ""))
        self._effect(verb, key)
        if not _NAME.fullmatch(key[2]):
            msg = f"{kind.name} {key[2]!r} is invalid: metadata.name"
            raise Rejected(msg)
        home = self._store.seen(NAMESPACES, key[1]) if key[1] else {"metadata": {}}
        if home is None:
            raise _not_found(("namespaces", "", key[1]))
        if "deletionTimestamp" in home["metadata"] and key not in self._store.objects:
            msg = f"namespace {key[1]} is being terminated"
            raise Busy(msg, Reason.WAITING)
        return key

    def _effect(self, verb: str, key: Key) -> None:
        self._guard.check()
        self._point()
        self._fault(verb, key)

    def _fault(self, verb: str, key: Key) -> None:
        fault = self._store.refuse(verb, key)
        if fault is not None:
            raise fault


def forbidden(*plurals: str) -> Callable[[str, Key], Exception | None]:
    """A store's ``refuse`` that lets nobody at some kinds."""
    return lambda _verb, key: Refused(f"{key[0]} is forbidden") if key[0] in plurals else None


def _key(kind: Kind, name: str, namespace: str) -> Key:
    return (kind.plural, "" if kind is NAMESPACES else namespace, name)


def _not_found(key: Key) -> Busy:
    return Busy(f"{key[0]} {key[2]!r} not found", Reason.HOST_UNREACHABLE)


def _matches(item: Object, labels: str, fields: str) -> bool:
    worn = item["metadata"].get("labels") or {}
    pairs = [p.partition("=") for p in labels.split(",") if p]
    if any(worn.get(key) != value for key, _, value in pairs):
        return False
    return all(
        _at(item, path) == value for path, _, value in (p.partition("=") for p in fields.split(",") if p)
    )


def _at(item: Object, path: str) -> Any:
    found: Any = item
    for part in path.split("."):
        found = (found or {}).get(part)
    return found


def _merge(old: Object, new: Object) -> None:
    """Maps are merged, everything else (our lists too) is replaced."""
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            _merge(old[key], value)
        else:
            old[key] = value


def _patch(old: Object, patch: Object) -> None:
    """RFC 7396."""
    for key, value in patch.items():
        if value is None:
            old.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(old.get(key), dict):
                old[key] = {}
            _patch(old[key], value)
        else:
            old[key] = copy.deepcopy(value)


def _remove(seen: Object, before: Object, now: Object) -> None:
    """What we applied once and apply no longer goes."""
    for key, value in before.items():
        if key not in now:
            seen.pop(key, None)
        elif isinstance(value, dict) and isinstance(now[key], dict) and isinstance(seen.get(key), dict):
            _remove(seen[key], value, now[key])
