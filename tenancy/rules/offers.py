"""What a host can offer a tenant, and what follows where the spec is silent."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from tenancy.enums import IsolationModel, Persistence, Sandbox, Trust
from tenancy.errors import FieldError
from tenancy.rules.specs import EffectiveSpec, Resources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tenancy.rules.specs import ClusterSpec, HostFacts

DEFAULT_VERSION: Final = "1.36"
KNOWN_VERSIONS: Final[Mapping[str, str]] = {"1.36": "v1.36.0", "1.35": "v1.35.0", "1.34": "v1.34.0"}
"""Minor version a tenant asks for → tag of vCluster's kubernetes image."""

HANDLERS: Final[Mapping[Sandbox, tuple[str, ...]]] = {
    Sandbox.GVISOR: ("runsc",),
    Sandbox.KATA: ("kata", "kata-qemu", "kata-clh", "kata-fc"),
    Sandbox.VNODE: ("vnode",),
}
"""The containerd handlers that make a RuntimeClass a sandbox of this profile."""

STRONGEST_FIRST: Final = (Sandbox.KATA, Sandbox.GVISOR, Sandbox.VNODE)
SUPPORTED: Final = (Sandbox.GVISOR, Sandbox.NONE)
"""Profiles whose enforcement Atoll can prove today."""

DEFAULT_RESOURCES: Final[Mapping[str, Decimal]] = {
    "cpu": Decimal(4),
    "memory": Decimal(8 * 1024**3),
    "storage": Decimal(20 * 1024**3),
    "pods": Decimal(50),
}


def runtime_class(facts: HostFacts, sandbox: Sandbox) -> str | None:
    """The host's RuntimeClass for a profile: ``""`` for none, ``None`` when there is none to be had."""
    if sandbox is Sandbox.NONE:
        return ""
    handlers = HANDLERS.get(sandbox, ())
    names = sorted(n for n, handler in facts.runtime_classes.items() if handler in handlers)
    return names[0] if names else None


def offered_sandboxes(facts: HostFacts, trust: Trust) -> tuple[Sandbox, ...]:
    """Profiles this tenant may choose on this host, strongest first."""
    found = [s for s in STRONGEST_FIRST if s in SUPPORTED and runtime_class(facts, s) is not None]
    return (*found, Sandbox.NONE) if trust is Trust.TRUSTED else tuple(found)


def refusals(
    spec: ClusterSpec, facts: HostFacts | None, trust: Trust, versions: Sequence[str], host: str
) -> tuple[FieldError, ...]:
    """Why this spec cannot be had on this host by this tenant; empty when it can.

    A host whose facts are not known yet refuses only what no host could give.
    """
    return (
        *_version_refusals(spec, versions, host),
        *_model_refusals(spec),
        *_sandbox_refusals(spec, facts, trust, host),
        *_persistence_refusals(spec, facts, host),
    )


def effective(
    spec: ClusterSpec, facts: HostFacts, trust: Trust, versions: Sequence[str]
) -> EffectiveSpec | None:
    """The spec with its silences filled; ``None`` when the host has no sandbox for this tenant."""
    offered = offered_sandboxes(facts, trust)
    sandbox = spec.sandbox or (offered[0] if offered else None)
    found = runtime_class(facts, sandbox) if sandbox else None
    if sandbox is None or found is None or (sandbox is Sandbox.NONE and trust is not Trust.TRUSTED):
        return None
    return EffectiveSpec(
        kubernetes_version=spec.kubernetes_version or default_version(versions),
        model=spec.model or IsolationModel.SHARED,
        sandbox=sandbox,
        runtime_class=found,
        persistence=spec.persistence or default_persistence(facts),
        resources=effective_resources(spec),
    )


def effective_resources(spec: ClusterSpec) -> Resources:
    """The amounts asked for, with the defaults of a small cluster."""
    wanted = {**DEFAULT_RESOURCES, **spec.resources}
    return Resources(
        cpu=wanted["cpu"], memory=wanted["memory"], storage=wanted["storage"], pods=int(wanted["pods"])
    )


def default_version(versions: Sequence[str]) -> str:
    """The newest minor the host offers."""
    return max(versions, key=lambda v: tuple(int(part) for part in v.split(".")))


def default_persistence(facts: HostFacts) -> Persistence:
    """Persistent wherever the host has a default storage class."""
    return Persistence.PERSISTENT if facts.default_storage_class else Persistence.EPHEMERAL


def _version_refusals(spec: ClusterSpec, versions: Sequence[str], host: str) -> Iterable[FieldError]:
    if spec.kubernetes_version is not None and spec.kubernetes_version not in versions:
        detail = (
            f"{spec.kubernetes_version!r} is not offered on host {host!r}: choose one of {_listed(versions)}"
        )
        yield FieldError("spec.kubernetesVersion", "not-offered", detail)


def _model_refusals(spec: ClusterSpec) -> Iterable[FieldError]:
    if spec.model is IsolationModel.DEDICATED_POOL:
        detail = "no node pool is assigned to this tenant: use 'shared', or ask an admin for a pool"
        yield FieldError("spec.isolation.model", "not-offered", detail)


def _sandbox_refusals(
    spec: ClusterSpec, facts: HostFacts | None, trust: Trust, host: str
) -> Iterable[FieldError]:
    path = "spec.isolation.sandbox"
    if spec.sandbox is None:
        if facts is not None and not offered_sandboxes(facts, trust):
            detail = (
                f"host {host!r} has no sandbox for an untrusted tenant: ask an admin to install gVisor there"
            )
            yield FieldError(path, "not-offered", detail)
    elif spec.sandbox is Sandbox.NONE and trust is not Trust.TRUSTED:
        yield FieldError(path, "not-trusted", "'none' is for trusted tenants only: use 'gvisor'")
    elif spec.sandbox not in SUPPORTED:
        detail = f"{spec.sandbox.value!r} is not supported yet: use 'gvisor'"
        yield FieldError(path, "not-offered", detail)
    elif facts is not None and runtime_class(facts, spec.sandbox) is None:
        nearest = _listed([s.value for s in offered_sandboxes(facts, trust)]) or "none today"
        detail = f"host {host!r} has no RuntimeClass for {spec.sandbox.value!r}: it offers {nearest}"
        yield FieldError(path, "not-offered", detail)


def _persistence_refusals(spec: ClusterSpec, facts: HostFacts | None, host: str) -> Iterable[FieldError]:
    persistent = spec.persistence is Persistence.PERSISTENT
    if persistent and facts is not None and not facts.default_storage_class:
        detail = f"host {host!r} has no default storage class: use 'ephemeral'"
        yield FieldError("spec.persistence", "not-offered", detail)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)
