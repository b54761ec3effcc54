"""A name for (chart, values): the same as long as Helm would do the same."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LENGTH: Final = 40
"""Hexadecimal digits: fits into a label."""


def of_release(chart: Path, values: Mapping[str, Any]) -> str:
    """Over every file of the chart and the values, whatever their order."""
    digest = hashlib.sha256()
    for path in sorted(p for p in chart.rglob("*") if p.is_file()):
        _add(digest, path.relative_to(chart).as_posix().encode())
        _add(digest, path.read_bytes())
    _add(digest, _canonical(values))
    return digest.hexdigest()[:LENGTH]


def of_objects(*bodies: Mapping[str, Any]) -> str:
    """Over Kubernetes objects as we want them."""
    return hashlib.sha256(_canonical(bodies)).hexdigest()[:LENGTH]


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _add(digest: Any, part: bytes) -> None:  # noqa: ANN401 - hashlib's type has no public name
    # The length keeps ("ab", "c") apart from ("a", "bc").
    digest.update(len(part).to_bytes(8, "big"))
    digest.update(part)
