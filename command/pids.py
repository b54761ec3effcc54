"""Processes of ours by recorded id and start time; a name or an id alone may be somebody else's."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from command import home as homes
from lab.files import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from command.home import Home

POLL_SECONDS: Final = 0.05
PROC: Final = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One leader of a session of its own, as it was started."""

    name: str
    pid: int
    started: int
    """Clock ticks since boot: ids are used again, the pair is not."""

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        state, started, _ = _stat(self.pid)
        return started == self.started and state not in "ZX"


def identify(name: str, pid: int) -> Process:
    """The process that has this id now."""
    return Process(name, pid, _stat(pid)[1])


def record(home: Home, process: Process) -> None:
    """Writes down what was started, for whoever comes after a sudden end."""
    homes.write(home.run / f"{process.name}.pid", json.dumps(asdict(process)) + "\n")


def forget(home: Home, name: str) -> None:
    """It has ended."""
    (home.run / f"{name}.pid").unlink(missing_ok=True)


def recorded(home: Home) -> list[Process]:
    """What was started and not seen to end."""
    found = (read_json(path) for path in sorted(home.run.glob("*.pid")))
    return [Process(**one) for one in found if one.keys() == {"name", "pid", "started"}]


def stop(process: Process, home: Home, *, seconds: float) -> bool:
    """Ends a process and its session: asks, waits, then forces. False when there was nothing to end."""
    if not process.alive and not members(process.pid, home):
        return False
    if process.alive:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
    if not _gone(process, home, seconds):
        leader = {process.pid} if process.alive else set[int]()
        for pid in leader | set(members(process.pid, home)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _gone(process, home, 5)
    return True


def members(session: int, home: Home) -> list[int]:
    """The living processes of a session that work for this home.

    A program that rewrites its own environment (redis does, for its title) is not among them.
    """
    return [pid for pid in _all() if _stat(pid)[2] == session and _works_for(pid, home)]


def _gone(process: Process, home: Home, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)  # it may be a child of ours
        if not process.alive and not members(process.pid, home):
            return True
        time.sleep(POLL_SECONDS)
    return False


def _works_for(pid: int, home: Home) -> bool:
    try:
        environment = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"ATOLL_HOME={home.root}".encode() in environment


def _all() -> Iterator[int]:
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            yield int(folder.name)


def _stat(pid: int) -> tuple[str, int, int]:
    """State, start time in ticks and session; ``("X", 0, 0)`` for nobody."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return "X", 0, 0
    # The command's name may hold spaces and brackets: count after the last one.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19]), int(fields[3])
