"""Whether a node's GPU software lets containers out, and what that means for tenants.

A sandbox is no excuse: the hooks that set a container's devices up run outside it, as root.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from tenancy.enums import GpuComponent, GpuVerdict, Severity, Trust, VersionSource
from tenancy.errors import FieldError
from tenancy.rules.advisories import CDI, version, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tenancy.rules.advisories import Advisories, Advisory, Affected

LABEL: Final = "tenancy.atoll.node-restriction.kubernetes.io/gpu-escape"
"""Node label with the verdict: no kubelet may set one of this domain (admission plugin NodeRestriction)."""
NO_TOOLKIT: Final = "none"
"""What an admin's label says of a node whose accelerators need no NVIDIA container toolkit."""
DECLARED: Final[Mapping[GpuComponent, str]] = {
    GpuComponent.TOOLKIT: "tenancy.atoll.internal/nvidia-container-toolkit",
    GpuComponent.OPERATOR: "tenancy.atoll.internal/nvidia-gpu-operator",
    GpuComponent.DRIVER: "tenancy.atoll.internal/nvidia-driver",
}
"""Node labels by which an admin tells what cannot be discovered."""


@dataclass(frozen=True)
class Found:
    """A component's version as it was seen."""

    version: str
    source: VersionSource
    detail: str
    """Where exactly: the pod and image, the ClusterPolicy, the label."""


@dataclass(frozen=True)
class Tenancy:
    """A tenant's cluster that has GPU pods on a node, or may have some there."""

    tenant: str
    cluster: str
    namespace: str
    trust: Trust
    pods: tuple[str, ...]
    """Host pods with extended resources that are on the node."""
    evidence: str
    """What the host said, in words."""


@dataclass(frozen=True)
class GpuFacts:
    """The GPU software of one node."""

    toolkit: Found | None = None
    operator: Found | None = None
    driver: Found | None = None
    cdi: bool | None = None
    """Whether devices come by the Container Device Interface; ``None`` when nothing tells."""
    notes: tuple[str, ...] = ()
    """Why something could not be read, and what to do about it."""
    tenancies: tuple[Tenancy, ...] = ()
    """Read while the node was not clean only."""

    def parts(self) -> dict[GpuComponent, Found | None]:
        """Each component with what was found of it."""
        return {
            GpuComponent.TOOLKIT: self.toolkit,
            GpuComponent.OPERATOR: self.operator,
            GpuComponent.DRIVER: self.driver,
        }


@dataclass(frozen=True)
class Finding:
    """A vulnerability that a node has."""

    cve: str
    title: str
    severity: Severity
    source: str
    component: GpuComponent
    version: str
    fixed: str


@dataclass(frozen=True)
class Judgement:
    """What is to be thought of a node."""

    verdict: GpuVerdict
    why: str
    findings: tuple[Finding, ...] = ()
    upgrade: tuple[tuple[GpuComponent, str], ...] = ()
    """The lowest version of each component that no advisory names any more."""


def judge(gpu: GpuFacts, known: Advisories) -> Judgement:
    """Exposed when an advisory fits; else unknown when anything that decides is; else clean."""
    seen = gpu.parts()
    findings = tuple(
        _finding(advisory, affected, found)
        for component, found in seen.items()
        if found is not None
        for advisory, affected in _fitting(component, found.version, known, cdi=gpu.cdi)
    )
    if findings:
        upgrade = tuple(
            (c, _cure(c, findings, known, cdi=gpu.cdi)) for c in GpuComponent if _hit(c, findings)
        )
        cures = ", ".join(f"{c.value} to {fixed}" for c, fixed in upgrade)
        return Judgement(GpuVerdict.EXPOSED, f"upgrade {cures} or later", findings, upgrade)
    doubt = known.fault or _doubt(seen, known)
    if doubt:
        return Judgement(GpuVerdict.UNKNOWN, "; ".join((doubt, *gpu.notes)))
    return Judgement(GpuVerdict.CLEAN, "no advisory names its versions")


def refusals(
    asked: Iterable[str], verdicts: Mapping[str, Iterable[GpuVerdict]], trust: Trust, host: str
) -> tuple[FieldError, ...]:
    """Why an untrusted tenant cannot have these accelerators on a host; ``verdicts`` of the nodes by resource."""
    if trust is Trust.TRUSTED:
        return ()
    return tuple(
        FieldError("spec.accelerators", "gpu-escape", _refusal(name, found, host))
        for name in sorted(set(asked))
        if GpuVerdict.CLEAN not in (found := tuple(verdicts.get(name, ())))
    )


def _refusal(name: str, found: tuple[GpuVerdict, ...], host: str) -> str:
    if not found:
        return f"host {host!r} has no node with {name!r}: leave it out, or ask an admin for such a node"
    state = "known ways out of containers" if GpuVerdict.EXPOSED in found else "GPU software nobody knows"
    return (
        f"every node with {name!r} on host {host!r} has {state}, so untrusted tenants get none: an admin sees"
        f" what to upgrade at /api/v1/hosts/{host}/gpu-exposure; ask again then"
    )


def to_json(gpu: GpuFacts) -> dict[str, Any]:
    """For the database column."""
    return asdict(gpu)


def from_json(data: dict[str, Any]) -> GpuFacts:
    """The inverse of ``to_json``."""
    parts = {name: _found(data[name]) for name in ("toolkit", "operator", "driver")}
    tenancies = tuple(
        Tenancy(**{**t, "trust": Trust(t["trust"]), "pods": tuple(t["pods"])}) for t in data["tenancies"]
    )
    return GpuFacts(**parts, cdi=data["cdi"], notes=tuple(data["notes"]), tenancies=tenancies)


def _found(data: dict[str, str] | None) -> Found | None:
    if data is None:
        return None
    return Found(data["version"], VersionSource(data["source"]), data["detail"])


def _fitting(
    component: GpuComponent, text: str, known: Advisories, *, cdi: bool | None
) -> Iterable[tuple[Advisory, Affected]]:
    numbers = version(text)
    if numbers is None:
        return
    for advisory in known.entries:
        for affected in advisory.affects:
            spared = affected.mode == CDI and cdi is False
            if affected.component is component and not spared and within(numbers, affected.range):
                yield advisory, affected
                break  # one of its ranges is enough


def _finding(advisory: Advisory, affected: Affected, found: Found) -> Finding:
    return Finding(
        cve=advisory.cve,
        title=advisory.title,
        severity=advisory.severity,
        source=advisory.source,
        component=affected.component,
        version=found.version,
        fixed=affected.fixed,
    )


def _hit(component: GpuComponent, findings: Iterable[Finding]) -> bool:
    return any(f.component is component for f in findings)


def _cure(
    component: GpuComponent, findings: Iterable[Finding], known: Advisories, *, cdi: bool | None
) -> str:
    """Climbs from fix to fix: the cure of one advisory may be what another is about."""
    fixes = [f.fixed for f in findings if f.component is component]
    cure = max(fixes, key=lambda text: version(text) or ())
    while further := [a.fixed for _, a in _fitting(component, cure, known, cdi=cdi)]:
        cure = max(further, key=lambda text: version(text) or ())
    return cure


def _doubt(seen: Mapping[GpuComponent, Found | None], known: Advisories) -> str:
    """What keeps a node from being clean: a component that decides and whose version cannot be told.

    The toolkit always decides; a driver where an advisory is about drivers; an operator where one is
    seen, for a node can do without.
    """
    toolkit = seen[GpuComponent.TOOLKIT]
    if toolkit is None:
        return f"nothing tells the container toolkit's version: {_tell(GpuComponent.TOOLKIT)}"
    if toolkit.version == NO_TOOLKIT and toolkit.source is VersionSource.NODE_LABEL:
        return ""
    for component, found in seen.items():
        if found is not None and version(found.version) is None:
            return (
                f"{found.detail} gives {component.value} no version that can be compared: {_tell(component)}"
            )
    about_drivers = any(a.component is GpuComponent.DRIVER for e in known.entries for a in e.affects)
    if about_drivers and seen[GpuComponent.DRIVER] is None:
        return f"nothing tells the driver's version: {_tell(GpuComponent.DRIVER)}"
    return ""


def _tell(component: GpuComponent) -> str:
    example = {"container-toolkit": "1.19.1", "gpu-operator": "26.3.2", "driver": "580.126.20"}[component]
    none = f", or ={NO_TOOLKIT} where no NVIDIA toolkit is" if component is GpuComponent.TOOLKIT else ""
    return f"label the node {DECLARED[component]}={example}{none}"
