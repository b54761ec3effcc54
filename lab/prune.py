"""Removes from the cache what today's pins no longer make: ``python -m lab.prune``."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final

from lab import build, images, toolchain
from lab.cache import cache_root
from lab.errors import LabError

KINDS: Final = ("programs", "sets", "images")
DRAFT_SECONDS: Final = 24 * 3600.0


def prune() -> list[Path]:
    """Remove old programs and images; give the folders that went.

    What is current stays, and the programs of every lab that runs. Raises
    LabError where the current ones are neither there nor to be made.
    """
    keep, running = current(), _running()
    old = [
        folder
        for kind in KINDS
        for folder in sorted((cache_root() / kind).glob("*"))
        if folder not in keep and not any(program.is_relative_to(folder) for program in running)
    ]
    for folder in [*old, *_abandoned(), cache_root() / "digests"]:
        shutil.rmtree(folder, ignore_errors=True)
    return old


def current() -> set[Path]:
    """The folders that today's pins make. Compiles what is missing."""
    programs = build.ensure(None, lambda _text, _done, _total: None)
    archives = images.ensure(programs, lambda _text, _done, _total: None)
    found = toolchain.find(lambda _text: None)
    jobs = [build.Job(target, found) for target in build.TARGETS]
    return {programs.parent, *(job.folder for job in jobs), *(file.parent for file in archives)}


def _abandoned() -> list[Path]:
    """Drafts whose makers were killed: no compilation lasts that long."""
    drafts = (cache_root() / "tmp").glob("*")
    return [draft for draft in drafts if time.time() - draft.stat().st_mtime > DRAFT_SECONDS]


def _running() -> list[Path]:
    """What the machine's processes were started from."""
    found = []
    for link in Path("/proc").glob("[0-9]*/exe"):
        try:
            found.append(link.readlink())
        except OSError:
            continue
    return found


def main() -> int:
    """Prune and tell how much went."""
    try:
        removed = prune()
    except LabError as error:
        print(f"lab.prune: {error}")
        return 1
    print(f"removed {len(removed)} folders of {cache_root()}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
