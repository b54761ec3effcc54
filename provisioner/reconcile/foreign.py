"""What is not ours: which of it opens what the guard rails close, in a tenant's namespace or on the whole host.

Pure. Bindings add up and so do network policies: one more is enough.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from provisioner.reconcile import labels
from tenancy.rules.names import RELEASE, is_tenants

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from provisioner.ports import Object

SYNCER_BINDING: Final = f"vc-{RELEASE}"
FOR_EVERYBODY: Final = (
    "system:basic-user",
    "system:discovery",
    "system:public-info-viewer",
    "system:service-account-issuer-discovery",
)
"""Kubernetes' own roles that it binds to everybody; they are read, for anybody could write more into them."""
_EVERYBODY: Final = ("system:serviceaccounts", "system:authenticated", "system:unauthenticated")
_PUBLIC_NAMESPACE: Final = "kube-public"
_ALL: Final = "*"
"""In place of a namespace: the accounts of every one."""
_ABOUT_ONESELF: Final = frozenset(
    {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}
)
_PUBLIC: Final = frozenset(
    {
        *("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", "/version", "/version/"),
        *("/healthz", "/livez", "/readyz", "/.well-known/openid-configuration", "/openid/v1/jwks"),
        *("/.well-known/openid-configuration/", "/openid/v1/jwks/"),
    }
)
"""What all may read: which APIs there are, in which version, whether they are well, and public keys."""


class Foreign(Enum):
    """What becomes of an object that is not ours."""

    LEFT = "left"
    """It opens nothing."""
    TOLD = "told"
    """Somebody outside gets rights here: a host's admins, or their tools, may have reasons."""
    TAKEN = "taken"
    """It can only do harm."""


def network_policy(seen: Object) -> Foreign:
    """The syncer's may name pods of the namespace; anything further opens it."""
    if _kept(seen):
        return Foreign.LEFT
    synced = labels.SYNCED in (seen["metadata"].get("labels") or {})
    return Foreign.LEFT if synced and not any(map(_opens, _rules(seen))) else Foreign.TAKEN


def role_binding(seen: Object) -> Foreign:
    """Rights for tenants' own accounts, or for everybody, are never right."""
    if _kept(seen) or seen["metadata"]["name"] == SYNCER_BINDING:
        return Foreign.LEFT
    return Foreign.TAKEN if any(map(tenants, seen.get("subjects") or [])) else Foreign.TOLD


def cluster_role_binding(seen: Object, harmless: Collection[str]) -> Foreign:
    """Rights on the whole host for tenants' accounts or for everybody; ``harmless`` are roles that anybody may have.

    Never taken away: distributions of Kubernetes bring such bindings, and break without them.
    """
    given = seen.get("roleRef") or {}
    if _kept(seen) or not any(map(tenants, seen.get("subjects") or [])) or given.get("name") in harmless:
        return Foreign.LEFT
    return Foreign.TOLD


def role_binding_elsewhere(seen: Object) -> Foreign:
    """The same for one namespace that is no tenant's: those see to their own. What is in kube-public is for all."""
    namespace = seen["metadata"]["namespace"]
    if is_tenants(namespace) or namespace == _PUBLIC_NAMESPACE or _kept(seen):
        return Foreign.LEFT
    return Foreign.TOLD if any(map(tenants, seen.get("subjects") or [])) else Foreign.LEFT


def gives_nothing(role: Object) -> bool:
    """Whether a role lets its holder only read what the API server says to all, and ask about himself."""
    return "aggregationRule" not in role and all(map(_tells_only, role.get("rules") or []))


def _tells_only(rule: Object) -> bool:
    if rule.get("nonResourceURLs"):
        return set(rule["verbs"]) <= {"get", "head"} and set(rule["nonResourceURLs"]) <= _PUBLIC
    return set(rule["verbs"]) <= {"create"} and set(rule.get("resources") or ["*"]) <= _ABOUT_ONESELF


def tenants(subject: Object) -> bool:
    """Whether a subject is, or includes, a service account of a tenant's namespace."""
    whose = _whose(subject)
    return whose == _ALL or is_tenants(whose)


def reaches(subject: Object, namespace: str) -> bool:
    """Whether a subject is, or includes, a service account of this namespace."""
    return _whose(subject) in {_ALL, namespace}


def _whose(subject: Object) -> str:
    """The namespace whose service accounts a subject is or includes; ``_ALL``, or empty for others."""
    name = str(subject.get("name", ""))
    if subject.get("kind") == "ServiceAccount":
        return str(subject.get("namespace", ""))
    if subject.get("kind") == "Group":
        prefix, _, namespace = name.rpartition(":")
        return _ALL if name in _EVERYBODY else namespace if prefix == "system:serviceaccounts" else ""
    parts = name.split(":")
    if name == "system:anonymous":
        return _ALL
    return "".join(parts[2:3]) if parts[:2] == ["system", "serviceaccount"] else ""


def _kept(seen: Object) -> bool:
    return labels.KEPT in (seen["metadata"].get("labels") or {})


def _rules(seen: Object) -> Iterator[list[Object]]:
    """The peers of each rule."""
    spec = seen.get("spec") or {}
    yield from (rule.get("to") or [] for rule in spec.get("egress") or [])
    yield from (rule.get("from") or [] for rule in spec.get("ingress") or [])


def _opens(peers: list[Object]) -> bool:
    return not peers or any(peer.keys() != {"podSelector"} for peer in peers)
