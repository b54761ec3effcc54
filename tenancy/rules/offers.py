"""What a host can offer a tenant, and what follows where the spec is silent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tenancy.enums import IsolationModel, Persistence, Sandbox, Trust
from tenancy.errors import FieldError
from tenancy.rules import isolation_table, survey
from tenancy.rules.profiles import PROFILES
from tenancy.rules.quantities import cores, mebibytes
from tenancy.rules.runtimes import SandboxFacts
from tenancy.rules.specs import EffectiveSpec, Resources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tenancy.rules.profiles import Profile
    from tenancy.rules.specs import ClusterSpec, HostFacts

DEFAULT_VERSION: Final = "1.36"
KNOWN_VERSIONS: Final[Mapping[str, str]] = {"1.36": "v1.36.0", "1.35": "v1.35.0", "1.34": "v1.34.0"}
"""Minor version a tenant asks for → tag of vCluster's kubernetes image."""

NOT_OFFERED: Final = "not-offered"
NOT_TRUSTED: Final = "not-trusted"
"""The codes of a refused sandbox: the host's doing, or the tenant's trust."""

UNSEEN: Final = SandboxFacts(lack="the host was not asked for it yet")

DEFAULT_RESOURCES: Final[Mapping[str, Decimal]] = {
    "cpu": Decimal(4),
    "memory": Decimal(8 * 1024**3),
    "storage": Decimal(20 * 1024**3),
    "pods": Decimal(50),
}


@dataclass(frozen=True)
class SandboxOffer:
    """One profile for one tenant on one host."""

    profile: Profile
    facts: SandboxFacts
    code: str = ""
    """Of the refusal; empty when it is offered."""
    why_not: str = ""
    nearest: Sandbox | None = None
    """What to take in its place; ``None`` when it is offered, or nothing is."""


def sandboxes(facts: HostFacts, trust: Trust, model: IsolationModel) -> tuple[SandboxOffer, ...]:
    """Every profile, strongest first, with the reason where this tenant cannot have it here."""
    refused = {s: _refused(s, facts, trust, model) for s in PROFILES}
    able = [s for s, (code, _) in refused.items() if not code]
    return tuple(
        SandboxOffer(
            PROFILES[s], facts.sandboxes.get(s, UNSEEN), code, why, nearest(s, able) if code else None
        )
        for s, (code, why) in refused.items()
    )


def nearest(wanted: Sandbox, able: Sequence[Sandbox]) -> Sandbox | None:
    """The next stronger of those that can be had; the next weaker where none is stronger."""
    order = list(PROFILES)
    place = order.index(wanted)
    return min(able, key=lambda s: (order.index(s) > place, abs(order.index(s) - place)), default=None)


def offered_sandboxes(
    facts: HostFacts, trust: Trust, model: IsolationModel = IsolationModel.SHARED
) -> tuple[Sandbox, ...]:
    """Profiles this tenant may choose on this host, strongest first."""
    return tuple(o.profile.sandbox for o in sandboxes(facts, trust, model) if not o.code)


def refusals(
    spec: ClusterSpec, facts: HostFacts | None, trust: Trust, versions: Sequence[str], host: str
) -> tuple[FieldError, ...]:
    """Why this spec cannot be had on this host by this tenant; empty when it can.

    A host whose facts are not known yet refuses only what no host could give.
    """
    return (
        *_version_refusals(spec, versions, host),
        *sandbox_refusals(spec, facts, trust, host),
        *_persistence_refusals(spec, facts, host),
        *pause_refusals(spec, facts),
    )


def effective(
    spec: ClusterSpec,
    facts: HostFacts,
    trust: Trust,
    versions: Sequence[str],
    chosen: Sandbox | None = None,
) -> EffectiveSpec | None:
    """The spec with its silences filled; ``None`` when this tenant cannot have the sandbox here.

    ``chosen`` is what was built for a spec that leaves the sandbox to Atoll: a host that comes to
    offer another one changes nothing for a cluster that is there.
    """
    model = spec.model or IsolationModel.SHARED
    offered = offered_sandboxes(facts, trust, model)
    sandbox = spec.sandbox or chosen or next(iter(offered), None)
    if sandbox is None or sandbox not in offered:
        return None
    found = facts.sandboxes[sandbox]
    return EffectiveSpec(
        kubernetes_version=spec.kubernetes_version or default_version(versions),
        model=model,
        sandbox=sandbox,
        runtime_class=found.runtime_class,
        persistence=spec.persistence or default_persistence(facts),
        resources=effective_resources(spec),
        overhead=found.overhead,
        add_ons=dict(spec.add_ons),
    )


def written(found: EffectiveSpec, wish: ClusterSpec) -> dict[str, Any]:
    """Effective values as a spec has them."""
    amounts = found.resources
    return {
        "kubernetesVersion": found.kubernetes_version,
        "isolation": {
            "model": found.model.value,
            "sandbox": found.sandbox.value,
            "pool": found.pool or None,
        },
        "resources": {
            "cpu": cores(amounts.cpu),
            "memory": mebibytes(amounts.memory),
            "storage": mebibytes(amounts.storage),
            "pods": amounts.pods,
        },
        "persistence": found.persistence.value,
        "accelerators": dict(wish.accelerators),
        "deletionProtection": wish.deletion_protection,
        "paused": wish.paused,
        "releaseAcceleratorsWhilePaused": wish.release_accelerators_while_paused,
        "addOns": dict(found.add_ons),
    }


def pause_refusals(spec: ClusterSpec, facts: HostFacts | None) -> Iterable[FieldError]:
    """Who sleeps must have somewhere to keep what it is to remember."""
    kept = spec.persistence or (default_persistence(facts) if facts else None)
    if spec.paused and kept is Persistence.EPHEMERAL:
        detail = (
            "an ephemeral cluster would forget every object in it: leave it running, delete it,"
            " or make one with persistence 'persistent' and pause that"
        )
        yield FieldError("spec.paused", NOT_OFFERED, detail)


def effective_resources(spec: ClusterSpec) -> Resources:
    """The amounts asked for, with the defaults of a small cluster."""
    wanted = {**DEFAULT_RESOURCES, **spec.resources}
    return Resources(
        cpu=wanted["cpu"], memory=wanted["memory"], storage=wanted["storage"], pods=int(wanted["pods"])
    )


def default_version(versions: Sequence[str]) -> str:
    """The newest minor the host offers."""
    return max(versions, key=newest)


def newest(version: str) -> tuple[int, ...]:
    """Orders minor versions as numbers: 1.9 before 1.10."""
    return tuple(int(part) for part in version.split("."))


def default_persistence(facts: HostFacts) -> Persistence:
    """Persistent wherever the host has a default storage class."""
    return Persistence.PERSISTENT if facts.default_storage_class else Persistence.EPHEMERAL


def sandbox_refusals(
    spec: ClusterSpec, facts: HostFacts | None, trust: Trust, host: str
) -> Iterable[FieldError]:
    """Why this tenant cannot have the sandbox asked for, or any; each with what to do."""
    path, model = "spec.isolation.sandbox", spec.model or IsolationModel.SHARED
    if facts is None:
        why = isolation_table.refusal(trust, model, spec.sandbox) if spec.sandbox else ""
        if why:
            yield FieldError(path, NOT_TRUSTED, f"{why}: leave it out and Atoll takes the strongest there is")
        return
    found = {o.profile.sandbox: o for o in sandboxes(facts, trust, model)}
    if spec.sandbox is not None:
        yield from _told(path, found[spec.sandbox], host)
    elif all(o.code for o in found.values()):
        gvisor = found[Sandbox.GVISOR]
        if gvisor.facts.lack == survey.NO_NODE:
            yield _without_node(path, host)
            return
        detail = (
            f"host {host!r} has no sandbox for an untrusted tenant ({gvisor.why_not}):"
            f" ask an admin to {gvisor.profile.install}"
        )
        yield FieldError(path, NOT_OFFERED, detail)


def _version_refusals(spec: ClusterSpec, versions: Sequence[str], host: str) -> Iterable[FieldError]:
    if spec.kubernetes_version is not None and spec.kubernetes_version not in versions:
        detail = (
            f"{spec.kubernetes_version!r} is not offered on host {host!r}: choose one of {_listed(versions)}"
        )
        yield FieldError("spec.kubernetesVersion", NOT_OFFERED, detail)


def _told(path: str, offer: SandboxOffer, host: str) -> Iterable[FieldError]:
    """The refusal of a profile that was asked for by name."""
    if not offer.code:
        return
    if offer.facts.lack == survey.NO_NODE and offer.code != NOT_TRUSTED:
        yield _without_node(path, host)
        return
    use = f"use {offer.nearest.value!r}" if offer.nearest else f"host {host!r} has no other for this tenant"
    if offer.code == NOT_TRUSTED:
        yield FieldError(path, offer.code, f"{offer.why_not}: {use}")
        return
    detail = (
        f"host {host!r} cannot run {offer.profile.sandbox.value!r}: {offer.why_not}. Now: {use}."
        f" For {offer.profile.title}, an admin would {offer.profile.install}"
    )
    yield FieldError(path, offer.code, detail)


def _without_node(path: str, host: str) -> FieldError:
    detail = f"host {host!r} has no place for it: {survey.NO_NODE}. Ask again when a move has ended, or ask an admin for a node"
    return FieldError(path, NOT_OFFERED, detail)


def _refused(sandbox: Sandbox, facts: HostFacts, trust: Trust, model: IsolationModel) -> tuple[str, str]:
    """Code and reason; both empty when it is offered."""
    why = isolation_table.refusal(trust, model, sandbox)
    if why:
        return NOT_TRUSTED, why
    lack = facts.sandboxes.get(sandbox, UNSEEN).lack
    return (NOT_OFFERED, lack) if lack else ("", "")


def _persistence_refusals(spec: ClusterSpec, facts: HostFacts | None, host: str) -> Iterable[FieldError]:
    persistent = spec.persistence is Persistence.PERSISTENT
    if persistent and facts is not None and not facts.default_storage_class:
        detail = f"host {host!r} has no default storage class: use 'ephemeral'"
        yield FieldError("spec.persistence", NOT_OFFERED, detail)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)
