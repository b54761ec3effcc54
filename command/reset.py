"""``./atoll reset``: stops everything and deletes what one Atoll keeps, and nothing else."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from command import down
from command import home as homes
from command.terminal import CommandError, show

if TYPE_CHECKING:
    import argparse

    from command.home import Home

OURS: Final = (
    "run", "logs", "credentials", "backups", "redis", "bin", "hosts", "lab", "secrets", "helm", "audit",
    "atoll.sqlite3", "atoll.sqlite3-wal", "atoll.sqlite3-shm", "admin.token", "demo.token",
)  # fmt: skip
"""A home may have been put into a folder that holds other things: those stay."""


def run(asked: argparse.Namespace) -> int:
    """Asks first, unless told not to."""
    home = homes.find()
    found = [home.root / name for name in OURS if (home.root / name).exists()]
    if not found:
        show(f"there is nothing of Atoll in {home.root}")
        return 0
    if not asked.yes and not _confirmed(home):
        show("nothing was deleted")
        return 1
    down.stop(home)
    _refuse_mounts(home)
    for path in found:
        _delete(path)
    rest = sorted(path.name for path in home.root.iterdir())
    if not rest:
        home.root.rmdir()
    show(f"deleted Atoll's data in {home.root}" + (f"; left alone: {', '.join(rest)}" if rest else ""))
    return 0


def _confirmed(home: Home) -> bool:
    if not sys.stdin.isatty():
        raise CommandError("nobody can be asked here: give --yes to delete the data")
    answer = input(f"Delete all clusters, users and tokens kept in {home.root}? Type 'yes': ")
    return answer.strip() == "yes"


def _refuse_mounts(home: Home) -> None:
    """A mount below would be emptied, too."""
    table = Path("/proc/self/mountinfo")
    rows = table.read_text().splitlines() if table.exists() else []
    inside = [row.split()[4] for row in rows if Path(row.split()[4]).is_relative_to(home.root)]
    if inside:
        raise CommandError(
            f"still mounted, so nothing was deleted: {', '.join(inside)}; run ./atoll lab down first"
        )


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=False)
    else:
        path.unlink(missing_ok=True)
