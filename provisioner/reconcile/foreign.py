"""What in a tenant's namespace is not ours: which of it opens what the guard rails close.

Pure. Role bindings add up and so do network policies: one more is enough.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from provisioner.reconcile import labels
from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.ports import Object

SYNCER_BINDING: Final = f"vc-{RELEASE}"
_EVERYBODY: Final = ("system:serviceaccounts", "system:authenticated", "system:unauthenticated")


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


def tenants(subject: Object) -> bool:
    """Whether a subject is, or includes, a service account of a tenant's namespace."""
    name = str(subject.get("name", ""))
    if subject.get("kind") == "ServiceAccount":
        return _tenants_namespace(str(subject.get("namespace", "")))
    if subject.get("kind") == "Group":
        prefix, _, namespace = name.rpartition(":")
        return name in _EVERYBODY or (prefix == "system:serviceaccounts" and _tenants_namespace(namespace))
    parts = name.split(":")
    return name == "system:anonymous" or (
        parts[:2] == ["system", "serviceaccount"] and _tenants_namespace("".join(parts[2:3]))
    )


def _tenants_namespace(name: str) -> bool:
    return name.startswith("atoll-") and name != "atoll-system"


def _kept(seen: Object) -> bool:
    return labels.KEPT in (seen["metadata"].get("labels") or {})


def _rules(seen: Object) -> Iterator[list[Object]]:
    """The peers of each rule."""
    spec = seen.get("spec") or {}
    yield from (rule.get("to") or [] for rule in spec.get("egress") or [])
    yield from (rule.get("from") or [] for rule in spec.get("ingress") or [])


def _opens(peers: list[Object]) -> bool:
    return not peers or any(peer.keys() != {"podSelector"} for peer in peers)
