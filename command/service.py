"""One service: how it is started, and its log."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from command import pids

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from command.home import Home

LOG_LIMIT: Final = 20_000_000
"""Bytes; one older part of as many is kept beside it: a log must not fill the disk over the months."""
TAIL_LINES: Final = 15


@dataclass(frozen=True)
class Service:
    """A long-running program of ours."""

    name: str
    argv: tuple[str, ...]
    stop_seconds: float = 15
    """How long it may take to end by itself."""


@dataclass
class Running:
    """A service that was started."""

    service: Service
    process: subprocess.Popen[bytes]
    identity: pids.Process
    log_from: int
    """Where its own words begin in the log."""

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; ``None`` while it runs."""
        return self.process.poll()


def clear(dead: Running, home: Home) -> None:
    """Ends at once what a dead service left in its session: nobody looks after it any more.

    Its record stays until it is started again: ``status`` shall show that it is missing.
    """
    pids.stop(dead.identity, home, seconds=0)


def log_path(home: Home, name: str) -> Path:
    """Where a service's output goes."""
    return home.logs / f"{name}.log"


def start(service: Service, home: Home, environment: Mapping[str, str]) -> Running:
    """Starts it in a session of its own and records it. Call it from the main thread only.

    The kernel's word at the parent's death is bound to the thread that forked.
    """
    path = log_path(home, service.name)
    argv = [sys.executable, "-P", "-m", "command.child", str(os.getpid()), "--", *service.argv]
    with path.open("ab") as log:
        log_from = log.tell()
        process = subprocess.Popen(  # noqa: S603 - our own argument list
            argv,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    identity = pids.identify(service.name, process.pid)
    pids.record(home, identity)
    return Running(service, process, identity, log_from)


def stop(running: Running, home: Home) -> None:
    """Ends it and all of its session."""
    pids.stop(running.identity, home, seconds=running.service.stop_seconds)
    running.process.poll()
    pids.forget(home, running.service.name)


def tail(home: Home, name: str, *, lines: int = TAIL_LINES, begin: int = 0) -> str:
    """The last lines of its log, from the byte ``begin`` on."""
    try:
        data = log_path(home, name).read_bytes()[begin:]
    except OSError:
        return ""
    return "\n".join(data.decode(errors="replace").splitlines()[-lines:])


def trim(running: Running, home: Home) -> None:
    """Puts a log that grew too long aside. Who writes it appends, and so goes on at the beginning of an empty one."""
    path = log_path(home, running.service.name)
    with suppress(OSError):  # a full disk, or a log that somebody removed: no reason to stop
        if path.stat().st_size > LOG_LIMIT:
            with suppress(OSError):
                shutil.copyfile(path, path.with_suffix(".log.1"))
            os.truncate(path, 0)
            running.log_from = 0
