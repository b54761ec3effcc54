"""Compares what an identity may do with what it did: rules of roles against an API server's audit log.

Pure: documents and lines in, sets out. An unused right is one to take away; a
denied request is one that lacks a right.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

_ALLOWED_BY = re.compile(r'RBAC: allowed by \w+ "[^"]+" of (ClusterRole|Role) "([^"]+)"')
_CREATED = 201
_IMPLICIT = frozenset({"bind", "escalate", "impersonate"})


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource, as one role gives it; ``name`` is empty for any name."""

    role: str
    """``ClusterRole/atoll-provisioner``, as audit logs name it."""
    group: str
    resource: str
    """With its subresource: ``pods/log``."""
    verb: str
    name: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.role}: {self.verb} {resource} {self.name}".rstrip()


@dataclass(frozen=True)
class Request:
    """One audited request of the identity."""

    verbs: tuple[str, ...]
    """What had to be allowed: an apply that made its object needs create beside patch."""
    group: str
    resource: str
    namespace: str
    name: str
    allowed: bool
    role: str
    """The role that allowed it; empty when none of RBAC did."""
    code: int
    uri: str

    def __str__(self) -> str:
        return f"{self.code} {'+'.join(self.verbs)} {self.uri}"


@dataclass(frozen=True)
class Report:
    """What is too much and what is too little."""

    unused: tuple[Right, ...]
    denied: tuple[Request, ...]

    def __str__(self) -> str:
        lines = [*(f"unused: {right}" for right in self.unused), *(f"denied: {r}" for r in self.denied)]
        return "\n".join(lines) or "every right was used, no request was denied"


def rights(documents: Iterable[Mapping[str, Any]], roles: Collection[str]) -> frozenset[Right]:
    """The rights that these roles (``ClusterRole/name``) give, from rendered manifests.

    Raises ``ValueError`` for a role that is not there and for a wildcard: nobody
    can say whether all of it was used.
    """
    found = {
        f"{d['kind']}/{d['metadata']['name']}": d for d in documents if d["kind"] in ("ClusterRole", "Role")
    }
    missing = sorted(set(roles) - found.keys())
    if missing:
        msg = f"no role {', '.join(missing)} among {', '.join(sorted(found))}"
        raise ValueError(msg)
    return frozenset(
        right for role in roles for rule in found[role]["rules"] for right in _of_rule(role, rule)
    )


def requests(lines: Iterable[str], user: str) -> list[Request]:
    """The resource requests of a user (as ``system:serviceaccount:ns:name``) in an audit log's lines.

    A line cut off at the end, as in a log still being written, is left out.
    """
    events = (event for line in lines if (event := _event(line)) is not None)
    return [_request(e) for e in events if e.get("user", {}).get("username") == user and "objectRef" in e]


def compare(given: Collection[Right], seen: Collection[Request], *, bound: Collection[str] = ()) -> Report:
    """What of ``given`` no request used, and the requests that nobody allowed.

    ``bound`` names the roles that were seen in role bindings the identity made:
    the verb ``bind`` is checked inside such a request and has no audit line.
    """
    unused = sorted(right for right in given if not _used(right, seen, bound))
    denied = tuple(request for request in seen if not request.allowed)
    return Report(tuple(unused), denied)


def _of_rule(role: str, rule: Mapping[str, Any]) -> Iterator[Right]:
    if "*" in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}:
        msg = f"{role} has a wildcard: {rule}"
        raise ValueError(msg)
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames", [""]):
                    yield Right(role, group, resource, verb, name)


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _request(event: Mapping[str, Any]) -> Request:
    target = event["objectRef"]
    notes = event.get("annotations", {})
    by = _ALLOWED_BY.match(notes.get("authorization.k8s.io/reason", ""))
    code = event.get("responseStatus", {}).get("code", 0)
    sub = target.get("subresource")
    return Request(
        verbs=("patch", "create") if event["verb"] == "patch" and code == _CREATED else (event["verb"],),
        group=target.get("apiGroup", ""),
        resource=f"{target['resource']}/{sub}" if sub else target["resource"],
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        allowed=notes.get("authorization.k8s.io/decision") != "forbid",
        role=f"{by[1]}/{by[2]}" if by else "",
        code=code,
        uri=event.get("requestURI", ""),
    )


def _used(right: Right, seen: Iterable[Request], bound: Collection[str]) -> bool:
    if right.verb in _IMPLICIT:
        return right.name in bound
    return any(_covers(right, request) for request in seen)


def _covers(right: Right, request: Request) -> bool:
    return (
        request.allowed
        and request.role == right.role
        and right.verb in request.verbs
        and (right.group, right.resource) == (request.group, request.resource)
        and right.name in ("", request.name)
    )
