"""``./atoll logs``: the services' own words."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from command import home as homes
from command import service
from command.terminal import CommandError, show

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

LINES: Final = 40
LOOK_SECONDS: Final = 0.5


def run(asked: argparse.Namespace) -> int:
    """Shows the end of each log; with ``--follow`` goes on until Ctrl-C."""
    home = homes.find()
    names = sorted(path.stem for path in home.logs.glob("*.log"))
    if asked.service and asked.service not in names:
        raise CommandError(
            f"there is no log of {asked.service!r}: there are {', '.join(names) or 'none yet'}"
        )
    chosen = [asked.service] if asked.service else names
    for name in chosen:
        show(_labelled(name, service.tail(home, name, lines=LINES)))
    if asked.follow:
        _follow({name: service.log_path(home, name) for name in chosen})
    return 0


def _follow(paths: dict[str, Path]) -> None:
    seen = {name: path.stat().st_size for name, path in paths.items()}
    while True:
        for name, path in paths.items():
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(seen[name] if size >= seen[name] else 0)  # it was put aside and begun anew
                new = file.read()
                seen[name] = file.tell()
            if new:
                show(_labelled(name, new.decode(errors="replace").rstrip("\n")))
        time.sleep(LOOK_SECONDS)


def _labelled(name: str, text: str) -> str:
    return "\n".join(f"{name:<7} | {line}" for line in text.splitlines())
