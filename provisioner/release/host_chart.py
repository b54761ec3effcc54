"""What is read of ``helm/host`` without rendering it: its version, and which policies it makes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pathlib import Path


@cache
def version(chart: Path) -> str:
    """Every policy wears it."""
    return str(yaml.safe_load((chart / "Chart.yaml").read_text())["version"])


@cache
def kept(chart: Path) -> tuple[str, ...]:
    """Names of the validating policies, and of their bindings, that the provisioner keeps: all but its own fences."""
    found = yaml.safe_load((chart / "files" / "policies.yaml").read_text())["kept"]
    return tuple(f"atoll-{topic}" for topic in found)
