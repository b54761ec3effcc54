"""The NVIDIA driver of a node, and which versions of it gVisor can stand before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenancy.rules.names import LABEL_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

_FULL: Final = "nvidia.com/cuda.driver-version.full"
_PARTS: Final = tuple(f"nvidia.com/cuda.driver.{part}" for part in ("major", "minor", "rev"))
"""Labels of GPU feature discovery, today's and those of before."""
_ADMINS: Final = f"{LABEL_PREFIX}nvidia-driver"
"""What an admin says where nothing discovers it."""

GVISOR_DRIVERS: Final = frozenset(
    [
        "535.129.03",
        "535.183.06",
        "535.247.01",
        "535.261.03",
        "535.274.02",
        "535.288.01",
        "535.309.01",
        "550.90.12",
        "570.124.06",
        "570.133.20",
        "570.172.08",
        "570.195.03",
        "580.65.06",
        "580.105.08",
        "580.126.09",
        "580.126.20",
        "580.159.03",
        "580.159.04",
        "580.173.02",
        "580.178.04",
        "590.48.01",
        "610.57.04",
        "615.15.00",
        "615.62.00",
        "620.06.00",
    ]
)
"""What ``runsc nvproxy list-supported-drivers`` prints of release 20260905; any other driver starts no pod."""


def of(labels: Mapping[str, str]) -> str:
    """The driver's version by the node's labels; empty when none tells."""
    parts = ".".join(labels[name] for name in _PARTS if labels.get(name))
    return labels.get(_FULL) or parts or labels.get(_ADMINS, "")
