"""Devices on a host: every way to one as a key of a ResourceQuota (a key that is absent is no limit), and what a cluster has."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tenancy.rules.specs import DeviceShare, HostFacts

WELL_KNOWN: Final = (
    "amd.com/gpu",
    "aws.amazon.com/neuron",
    "aws.amazon.com/neuroncore",
    "gpu.intel.com/i915",
    "gpu.intel.com/xe",
    "google.com/tpu",
    "habana.ai/gaudi",
    "huawei.com/Ascend910",
    "nvidia.com/gpu",
    "nvidia.com/gpu.shared",
    "nvidia.com/pgpu",
)
"""Closed before a node of the host has one; all others are closed once they are seen."""
_PAGES: Final = ("hugepages-2Mi", "hugepages-1Gi")
_CLAIMS: Final = ("count/resourceclaims.resource.k8s.io", "count/resourceclaimtemplates.resource.k8s.io")


def closed(facts: HostFacts | None) -> dict[str, str]:
    """Quota key → "0", for extended resources, huge pages and device classes (claimed or by resource name)."""
    return dict.fromkeys(_keys(facts), "0")


def key(resource: str) -> str:
    """Of a ResourceQuota, for an extended resource."""
    return f"requests.{resource}"


def amounts(shares: Iterable[DeviceShare]) -> dict[str, int]:
    """Extended resource → what the host's quota is to be; two classes may share a resource."""
    found: Counter[str] = Counter()
    for share in shares:
        found[share.resource] += share.amount
    return dict(found)


def hard(facts: HostFacts | None, shares: Iterable[DeviceShare]) -> dict[str, str]:
    """Quota key → what the cluster has of it, zero for every other way to a device."""
    return {**closed(facts), **{key(resource): str(n) for resource, n in amounts(shares).items()}}


def names(shares: Iterable[DeviceShare]) -> list[str]:
    """Extended resources that pods may name; also while they are on their way back, for pods that have some change."""
    return [share.resource for share in shares if share.amount or share.held]


def models(shares: Iterable[DeviceShare]) -> list[str]:
    """``resource:label=value`` for each node label that a pod with that resource must select."""
    given = [share for share in shares if share.amount]
    return [f"{share.resource}:{name}={value}" for share in given for name, value in share.labels.items()]


def _keys(facts: HostFacts | None) -> Iterator[str]:
    found = facts.accelerators if facts else ()
    yield from (f"requests.{name}" for name in sorted({*WELL_KNOWN, *found}))
    yield from (f"requests.{name}" for name in _PAGES)
    yield from _CLAIMS
    for name in facts.device_classes if facts else ():
        yield f"{name}.deviceclass.resource.k8s.io/devices"
        yield f"requests.deviceclass.resource.kubernetes.io/{name}"
