"""The policies of helm/host as far as the canary goes: which pod each refuses, and what a plain one is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.ports import POLICIES, POLICY_BINDINGS, Rehearsal
from provisioner.reconcile import labels
from provisioner.release import host_chart

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from provisioner.ports import Object
    from tests.fakes.kube import Store

CHART = Path(__file__).resolve().parents[2] / "helm" / "host"
VERSION = host_chart.version(CHART)
KEPT = host_chart.kept(CHART)


def install(host: Store, version: str = VERSION) -> None:
    """As an admin does by helm/host, as far as names and versions go."""
    for name in KEPT:
        for kind in (POLICIES, POLICY_BINDINGS):
            worn = {"tenancy.atoll.internal/policies": version}
            host.put(kind, {"metadata": {"name": name, "labels": worn}, "spec": {}})


def judge(pod: Object, namespace: Object, lenient: Collection[str]) -> Rehearsal:
    """The first policy that refuses; else the pod with what it left unset."""
    refused = [policy for policy in _broken(pod) if policy not in lenient]
    if refused:
        return Rehearsal(None, f"ValidatingAdmissionPolicy '{refused[0]}' denied request: leave it out")
    if "atoll-inject" not in lenient:
        metadata, spec = namespace["metadata"], pod["spec"]
        if metadata["labels"][labels.RUNTIME_CLASS]:
            spec.setdefault("runtimeClassName", metadata["labels"][labels.RUNTIME_CLASS])
        pairs = metadata["annotations"][labels.NODE_SELECTOR].split(",")
        chosen = dict(pair.split("=") for pair in pairs if pair)
        spec["nodeSelector"] = {**chosen, **spec.get("nodeSelector", {})}
        if metadata["labels"].get(labels.USER_NAMESPACES) == "required":
            spec.setdefault("hostUsers", False)
    return Rehearsal(pod)


def _broken(pod: Object) -> Iterator[str]:
    spec = pod["spec"]
    if any("key" not in t for t in spec.get("tolerations", [])):
        yield "atoll-placement"
    if any("nfs" in v for v in spec.get("volumes", [])):
        yield "atoll-hardening"
    if pod["metadata"]["labels"].get("release") == "cluster":
        yield "atoll-pod-identity"
    if any("/" in name for c in spec["containers"] for name in c.get("resources", {}).get("limits", {})):
        yield "atoll-devices"
    if any(c["image"].startswith("canary.invalid/") for c in spec["containers"]):
        yield "atoll-images"
