"""What ``helm/host`` put on a host, kept as the chart says: policies put back, roles told of.

The chart is the one source. A host that is older than this worker's chart is brought
up to date; one that is newer is left alone. What would make the provisioner its own
master (its fence, roles, mutating policies) it may read only: an admin installs the
chart anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import semver

from provisioner.outcomes import Permanent, Transient
from provisioner.ports import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    HOST_NAMESPACE,
    HOST_RELEASE,
    MUTATION_BINDINGS,
    MUTATIONS,
    POLICIES,
    POLICY_BINDINGS,
    ROLE_BINDINGS,
    ROLES,
)
from provisioner.reconcile import foreign, labels
from provisioner.release import host_chart
from provisioner.release.digest import of_release

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.ports import Host, Kind, Kube, Object
    from provisioner.reconcile.memory import Memory
    from provisioner.reconcile.watch import Watch

INSTALL: Final = (
    f"an admin installs the policies anew: ./atoll host add, or helm upgrade --install {HOST_RELEASE} helm/host"
    f" --namespace {HOST_NAMESPACE} --force-conflicts"
)
OWN_FENCES: Final = "atoll-provisioner-"
"""How the policies that keep the provisioner itself in its bounds begin."""
_MUTATES: Final = semver.Version(1, 36)
"""Kubernetes' first version with mutating admission policies."""
_MUTATING: Final = tuple(f"{kind.api}/{kind.name}" for kind in (MUTATIONS, MUTATION_BINDINGS))
_KEPT: Final = {kind.name: kind for kind in (POLICIES, POLICY_BINDINGS, MUTATION_BINDINGS)}
_TOLD: Final = {
    kind.name: kind for kind in (MUTATIONS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)
}
LISTED: Final = frozenset(
    {POLICIES, POLICY_BINDINGS, MUTATIONS, MUTATION_BINDINGS, CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS}
)
_OWN_RIGHTS: Final = (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
_OURS: Final = "atoll-provisioner"
_RENDERED: Final = 3600.0
"""Seconds for which a rendering is kept; it changes only with the program."""


@dataclass(frozen=True)
class Rails:
    """What the chart of this worker makes for a host."""

    version: semver.Version
    bodies: tuple[tuple[Kind, Object], ...]

    def body(self, kind: Kind, name: str) -> Object:
        """One of them; raises ``LookupError`` for one that the chart does not make."""
        found = (body for of, body in self.bodies if of is kind and body["metadata"]["name"] == name)
        one = next(found, None)
        if one is None:
            msg = f"helm/host makes no {kind.name} {name}"
            raise LookupError(msg)
        return one


def render(host: Host, chart: Path, identity: str, version: str, memory: Memory) -> Rails:
    """With the values that an admin installed it with, as far as they follow from who we are."""
    values = _values(identity)
    key = ("host rails", of_release(chart, values), version)
    known: Rails | None = memory.recall(*key, within=_RENDERED)
    if known is None:
        mutating = _MUTATING if semver.Version.parse(version.removeprefix("v")) >= _MUTATES else ()
        documents = host.helm.render(chart, values, version, mutating)
        made = [d for d in documents if mutating or not d["kind"].startswith("Mutating")]
        known = _rails(made, host_chart.version(chart))
        memory.remember(*key, value=known)
    return known


def keep(watch: Watch, rails: Rails) -> str:
    """Looks at everything once; what an admin has to know or do, empty when all is well."""
    newest = max((v for v in map(_version, _seen(watch, rails)) if v), default=None)
    if newest is not None and newest > rails.version:
        watch.found.update(watch.known)
        return (
            f"the host's policies are of version {newest}, newer than {rails.version} of this worker:"
            " they are left alone; update the workers"
        )
    amiss = [found for kind, body in rails.bodies if (found := _one(watch, kind, body))]
    try:
        _tell_of_rights_for_tenants(watch)
    except (Transient, Permanent) as fault:
        amiss.append(f"rights of tenants on the host cannot be read ({fault.message})")
    return f"{'; '.join(amiss[:3])}: {INSTALL}" if amiss else ""


def shut_out(watch: Watch) -> None:
    """The host knows us and refuses us everything: our own rights were changed, by whoever wrote them last."""
    ours = [kind for kind in _OWN_RIGHTS if f"{kind.name} {_OURS}" in watch.known]
    if ours and not any(f"{kind.name} {_OURS}" in watch.drifted for kind in ours):
        watch.suspect(_OURS, ours, INSTALL)


def harmless_roles(kube: Kube) -> frozenset[str]:
    """Those of Kubernetes' own roles for everybody that give nothing, as they are now."""
    found = ((name, kube.get(CLUSTER_ROLES, name)) for name in foreign.FOR_EVERYBODY)
    return frozenset(name for name, role in found if role and foreign.gives_nothing(role))


def _tell_of_rights_for_tenants(watch: Watch) -> None:
    harmless = harmless_roles(watch.kube)
    watch.clear(CLUSTER_ROLE_BINDINGS, lambda seen: foreign.cluster_role_binding(seen, harmless))
    watch.clear(ROLE_BINDINGS, foreign.role_binding_elsewhere)


def _one(watch: Watch, kind: Kind, body: Object) -> str:
    """What is wrong with it and cannot be put right from here."""
    what = watch.subject(kind, body)
    told = kind.name in _TOLD or body["metadata"]["name"].startswith(OWN_FENCES)
    try:
        if told:
            return "" if watch.report(kind, body, INSTALL) else f"{what} is not as the chart makes it"
        watch.keep(kind, body)
    except (Transient, Permanent) as fault:
        if what in watch.known:
            watch.found[what] = watch.known[what]
        return f"{what} cannot be {'read' if told else 'put right'} ({fault.message})"
    return ""


def _values(identity: str) -> dict[str, Any]:
    parts = identity.split(":")
    if parts[:2] != ["system", "serviceaccount"]:
        return {}
    return {
        "namespace": {"name": parts[2], "create": False},
        "provisioner": {"serviceAccount": parts[3]},
    }


def _rails(documents: list[Object], version: str) -> Rails:
    kinds = {**_KEPT, **_TOLD}
    bodies = tuple((kinds[d["kind"]], _helms(d)) for d in documents if d["kind"] in kinds)
    return Rails(semver.Version.parse(version), bodies)


def _helms(body: Object) -> Object:
    """With the marks by which Helm takes what we put back for its own."""
    metadata = body["metadata"]
    owner = {
        "meta.helm.sh/release-name": HOST_RELEASE,
        "meta.helm.sh/release-namespace": HOST_NAMESPACE,
    }
    marks = {
        **metadata,
        "labels": {**metadata.get("labels", {}), "app.kubernetes.io/managed-by": "Helm"},
        "annotations": {**metadata.get("annotations", {}), **owner},
    }
    return {**body, "metadata": marks}


def _seen(watch: Watch, rails: Rails) -> list[Object]:
    looked = (watch.look(kind, body) for kind, body in rails.bodies if kind is POLICIES)
    return [one for one in looked if one]


def _version(body: Object) -> semver.Version | None:
    text = (body["metadata"].get("labels") or {}).get(labels.POLICIES, "")
    return semver.Version.parse(text) if semver.Version.is_valid(text) else None
