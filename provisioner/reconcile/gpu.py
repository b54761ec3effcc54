"""Which GPU software a node runs: read from the host, each version with who told it.

Running pods are the best witnesses, then the GPU operator's ClusterPolicy (a wish), then feature
discovery and an admin's labels. A version that cannot be compared is passed over for the next witness;
where a toolkit's pod is there but does not run well, the node may still have the version before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from provisioner.ports import GPU_POLICIES, PODS, Refused
from provisioner.reconcile import labels
from provisioner.reconcile.pods import ended
from tenancy.enums import GpuComponent, VersionSource
from tenancy.rules.advisories import version
from tenancy.rules.gpu import DECLARED, NO_TOOLKIT, Found, GpuFacts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.ports import Kube, Object
    from tenancy.rules.nodes import NodeFacts

_TOOLKIT_APP: Final = "nvidia-container-toolkit-daemonset"
_DRIVER_APP: Final = "nvidia-driver-daemonset"
_OPERATOR_APP: Final = "gpu-operator"
_PRESENT: Final = "nvidia.com/gpu.present"
_DRIVER_FULL: Final = "nvidia.com/cuda.driver-version.full"
_DRIVER_PARTS: Final = tuple(f"nvidia.com/cuda.driver.{part}" for part in ("major", "minor", "rev"))

Witness: TypeAlias = Callable[[], "Found | None"]


@dataclass(frozen=True)
class Operator:
    """What the GPU operator says for the whole host; empty where there is none."""

    policy: Object
    pods: tuple[Object, ...] = ()
    """Of its namespace."""
    notes: tuple[str, ...] = ()


def inventory(kube: Kube, nodes: Iterable[NodeFacts]) -> tuple[NodeFacts, ...]:
    """The nodes, those with accelerators with their GPU software."""
    known = tuple(nodes)
    operator = _operator(kube)
    return tuple(replace(n, gpu=facts(n, operator)) if has_accelerators(n) else n for n in known)


def has_accelerators(node: NodeFacts) -> bool:
    """Whether pods could get devices there; zero of them counts, for that changes from one look to the next."""
    return bool(node.resources) or node.labels.get(_PRESENT) == "true"


def facts(node: NodeFacts, operator: Operator) -> GpuFacts:
    """The GPU software of one node."""
    here = [p for p in operator.pods if p["spec"].get("nodeName") == node.name and not ended(p)]
    unwell = [p for p in here if _app(p) == _TOOLKIT_APP and not _ready(p)]
    notes = tuple(
        f"pod {p['metadata']['namespace']}/{p['metadata']['name']} is not ready: until it is, the node may"
        " have the toolkit from before"
        for p in unwell
    )
    return GpuFacts(
        toolkit=None if unwell else _toolkit(node, operator.policy, here),
        operator=_first(
            lambda: _image(operator.pods, _OPERATOR_APP),
            lambda: _chart(operator.policy),
            lambda: _declared(node, GpuComponent.OPERATOR),
        ),
        driver=_first(
            lambda: _feature_labels(node),
            lambda: _image(here, _DRIVER_APP),
            lambda: _wish(operator.policy, "driver"),
            lambda: _declared(node, GpuComponent.DRIVER),
        ),
        cdi=_cdi(operator.policy),
        notes=(*operator.notes, *notes),
    )


def _toolkit(node: NodeFacts, policy: Object, here: list[Object]) -> Found | None:
    return _first(
        lambda: _image(here, _TOOLKIT_APP),
        lambda: _wish(policy, "toolkit"),
        lambda: _declared(node, GpuComponent.TOOLKIT),
    )


def _operator(kube: Kube) -> Operator:
    """Its ClusterPolicy, and the pods of the namespace that this names as the operator's own."""
    policies = [p for p in kube.find(GPU_POLICIES) if p.get("status", {}).get("state") != "ignored"]
    if not policies:
        return Operator({})
    (policy, *_) = sorted(policies, key=lambda p: str(p["metadata"]["name"]))
    namespace = str(policy.get("status", {}).get("namespace", ""))
    if not namespace:
        return Operator(policy, notes=("the ClusterPolicy names no namespace: its pods were not read",))
    try:
        return Operator(policy, tuple(kube.find(PODS, namespace)))
    except Refused:
        note = (
            f"pods of {namespace} may not be read: install helm/host with gpuOperator.namespace={namespace}"
        )
        return Operator(policy, notes=(note,))


def _first(*witnesses: Witness) -> Found | None:
    """The first version that can be compared; else the first that was told at all."""
    told = [found for witness in witnesses if (found := witness()) is not None]
    good = [f for f in told if f.version == NO_TOOLKIT or version(f.version) is not None]
    return next(iter((*good, *told)), None)


def _image(pods: Iterable[Object], app: str) -> Found | None:
    """The tag of an app's image, from a pod that runs."""
    for pod in pods:
        if _app(pod) == app and _ready(pod):
            image = str(pod["spec"]["containers"][0].get("image", ""))
            where = f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']}, image {image}"
            return Found(_tag(image), VersionSource.POD, where)
    return None


def _wish(policy: Object, part: str) -> Found | None:
    """What the operator is told to install; nothing where it leaves that to the node."""
    wanted = policy.get("spec", {}).get(part) or {}
    told = str(wanted.get("version") or "")
    if not told or wanted.get("enabled") is False:
        return None
    where = f"ClusterPolicy {policy['metadata']['name']}, spec.{part}.version {told}"
    return Found("" if told.startswith("sha256:") else told, VersionSource.CLUSTER_POLICY, where)


def _chart(policy: Object) -> Found | None:
    """The operator's own version, which its chart writes on the ClusterPolicy."""
    told = (policy.get("metadata", {}).get("labels") or {}).get("app.kubernetes.io/version")
    if not told:
        return None
    where = f"ClusterPolicy {policy['metadata']['name']}, label app.kubernetes.io/version"
    return Found(str(told), VersionSource.CLUSTER_POLICY, where)


def _cdi(policy: Object) -> bool | None:
    told = (policy.get("spec", {}).get("cdi") or {}).get("enabled")
    return told if isinstance(told, bool) else None


def _feature_labels(node: NodeFacts) -> Found | None:
    full = node.labels.get(_DRIVER_FULL, "")
    text = full or ".".join(part for key in _DRIVER_PARTS if (part := node.labels.get(key, "")))
    label = _DRIVER_FULL if full else _DRIVER_PARTS[0]
    return Found(text, VersionSource.FEATURE_DISCOVERY, f"label {label}") if text else None


def _declared(node: NodeFacts, component: GpuComponent) -> Found | None:
    told = node.labels.get(DECLARED[component], "")
    return Found(told, VersionSource.NODE_LABEL, f"label {DECLARED[component]}") if told else None


def _tag(image: str) -> str:
    """``v1.17.8`` of ``nvcr.io/…/container-toolkit:v1.17.8@sha256:…``; empty when only a digest is there."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2]


def _app(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get("app", ""))


def _ready(pod: Object) -> bool:
    return any(
        _is_ready(c) for c in pod.get("status", {}).get("conditions") or []
    ) and not labels.terminating(pod)


def _is_ready(condition: Object) -> bool:
    return bool(condition["type"] == "Ready" and condition["status"] == "True")
