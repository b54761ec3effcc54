"""Reads a RuntimeClass object into what Atoll keeps of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy.rules import quantities
from tenancy.rules.runtimes import Overhead, RuntimeClass

if TYPE_CHECKING:
    from provisioner.ports import Object


def facts(found: Object) -> RuntimeClass:
    """One RuntimeClass as the host's API prints it."""
    scheduling = found.get("scheduling") or {}
    fixed = (found.get("overhead") or {}).get("podFixed") or {}
    return RuntimeClass(
        handler=found["handler"],
        overhead=Overhead(
            cpu=quantities.parse(str(fixed.get("cpu", "0"))),
            memory=quantities.parse(str(fixed.get("memory", "0"))),
        ),
        node_selector=dict(scheduling.get("nodeSelector") or {}),
        tolerations=len(scheduling.get("tolerations") or ()),
    )
