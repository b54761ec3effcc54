"""Which NVIDIA drivers gVisor can stand before; ``rules.gpu`` knows the driver of a node."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tenancy.rules.nodes import NodeFacts

_VERSION: Final = re.compile(r"\d+(\.\d+)+")

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


def of(node: NodeFacts) -> str:
    """The driver's version alone, without what an image's tag adds to it; empty when nothing tells."""
    found = node.gpu.driver if node.gpu else None
    match = _VERSION.match(found.version.removeprefix("v")) if found else None
    return match[0] if match else ""
