"""Every way to a device that a host is known to have, as keys of a ResourceQuota: a key that is absent is no limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenancy.rules.specs import HostFacts

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


def _keys(facts: HostFacts | None) -> Iterator[str]:
    found = facts.accelerators if facts else ()
    yield from (f"requests.{name}" for name in sorted({*WELL_KNOWN, *found}))
    yield from (f"requests.{name}" for name in _PAGES)
    yield from _CLAIMS
    for name in facts.device_classes if facts else ():
        yield f"{name}.deviceclass.resource.k8s.io/devices"
        yield f"requests.deviceclass.resource.kubernetes.io/{name}"
