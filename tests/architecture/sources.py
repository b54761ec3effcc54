"""The tracked files, read once."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Module:
    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


@cache
def tracked() -> tuple[str, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    return tuple(name for name in listed.split("\0") if name and (REPOSITORY / name).is_file())


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Python modules under these folders, or all; migrations are made, not written."""
    names = [n for n in tracked() if n.endswith(".py") and not n.startswith("migrations/")]
    chosen = [n for n in names if not folders or n.startswith(tuple(f"{f}/" for f in folders))]
    return tuple(Module(n, (REPOSITORY / n).read_text()) for n in chosen)
