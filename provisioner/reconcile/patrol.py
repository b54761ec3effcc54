"""A look at the guard rails of every cluster of a host at once: five lists, however many clusters there are.

It only says which clusters want a pass; the pass looks again, tells and puts right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from provisioner.ports import (
    LIMIT_RANGES,
    NAMESPACES,
    NETWORK_POLICIES,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    Kind,
    Object,
)
from provisioner.reconcile import foreign, labels
from provisioner.reconcile.comparison import fingerprint
from provisioner.reconcile.foreign import Foreign

if TYPE_CHECKING:
    from uuid import UUID

    from provisioner.ports import Kube
    from tenancy.rules.drift import Established

_WITHIN: Final = (RESOURCE_QUOTAS, LIMIT_RANGES, NETWORK_POLICIES, ROLE_BINDINGS)
_JUDGES: Final = {NETWORK_POLICIES: foreign.network_policy, ROLE_BINDINGS: foreign.role_binding}


Places: TypeAlias = Mapping[str, list[tuple[Kind, Object]]]
"""What is in each namespace, itself included."""


def amiss(seen: Places, guarded: Mapping[UUID, tuple[str, Mapping[str, Established]]]) -> tuple[UUID, ...]:
    """The clusters in whose namespaces something is not as it was left."""
    return tuple(uid for uid, (name, known) in guarded.items() if not _right(seen.get(name, []), known))


def quotas(seen: Places, name: str) -> dict[str, Object]:
    """Namespace → its quota of this name."""
    return {
        namespace: one
        for namespace, found in seen.items()
        for kind, one in found
        if kind is RESOURCE_QUOTAS and one["metadata"]["name"] == name
    }


def standing(seen: Places) -> set[str]:
    """Namespaces that are not on their way out: in those our rights may be gone before the pods are."""
    return {
        namespace
        for namespace, found in seen.items()
        if not any(kind is NAMESPACES and labels.terminating(one) for kind, one in found)
    }


def read(kube: Kube, wanted: set[str]) -> Places:
    """Five lists; nothing is asked where nothing is wanted. Namespaces that are not there are left out."""
    found: dict[str, list[tuple[Kind, Object]]] = defaultdict(list)
    if not wanted:
        return found
    for one in kube.find(NAMESPACES, brief=True):
        if (name := one["metadata"]["name"]) in wanted:
            found[name].append((NAMESPACES, one))
    for kind in _WITHIN:
        for one in kube.find(kind):
            if (namespace := one["metadata"]["namespace"]) in wanted:
                found[namespace].append((kind, one))
    return found


def _right(seen: list[tuple[Kind, Object]], known: Mapping[str, Established]) -> bool:
    there = {f"{kind.name} {one['metadata']['name']}": (kind, one) for kind, one in seen}
    if any(kind is NAMESPACES and labels.terminating(one) for kind, one in seen):
        return True  # nothing can be put back into it; its cluster's next pass makes it anew
    if any(what not in there or fingerprint(there[what][1]) != rail.seen for what, rail in known.items()):
        return False
    return not any(
        what not in known and kind in _JUDGES and _JUDGES[kind](one) is Foreign.TAKEN
        for what, (kind, one) in there.items()
    )
