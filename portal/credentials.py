"""Files under ATOLL_HOME that hold what opens something: written in one step, readable by the owner only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Puts ``text`` at ``path``; a reader sees all of the old or all of the new."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(draft).replace(path)


def keep_password(home: Path, username: str, password: str) -> None:
    """Adds ``username: password`` to the file ``credentials``, in place of an older one."""
    path = home / "credentials"
    lines = path.read_text().splitlines() if path.exists() else []
    others = [line for line in lines if not line.startswith(f"{username}: ")]
    write(path, "\n".join([*others, f"{username}: {password}"]) + "\n")
