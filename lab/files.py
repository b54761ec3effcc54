"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Put ``content`` at ``path`` in one step, readable as ``mode`` says, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    draft.chmod(mode)
    draft.replace(path)


def write_json(path: Path, value: Mapping[str, Any], *, mode: int = 0o600) -> None:
    """Put ``value`` at ``path`` as readable JSON, in one step."""
    write(path, json.dumps(value, indent=2) + "\n", mode=mode)


def read_json(path: Path) -> dict[str, Any]:
    """Give the JSON object at ``path``; nothing there, or nothing readable, is an empty one."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
