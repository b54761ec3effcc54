"""Starts the lab's processes, keeps them running, ends them, and tells what they are.

Each is a session of its own with a log of its own. One that ends by itself is
started again after a pause that doubles from half a second to half a minute;
a minute of life forgives what was before.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from lab import files, registry
from lab.shell import environment

if TYPE_CHECKING:
    from pathlib import Path

    from lab.components import Component

FIRST_PAUSE: Final = 0.5  # seconds
LONGEST_PAUSE: Final = 30.0
FORGIVEN_AFTER: Final = 60.0
LOOK_EVERY: Final = 0.3
LOG_LIMIT: Final = 64 * 1024 * 1024  # bytes; more is cut off, as a lab may run for weeks


@dataclass(slots=True)
class Row:
    """One process as ``processes.json`` tells it."""

    name: str
    pid: int
    started: int  # start time in clock ticks since boot
    since: str  # ISO 8601
    restarts: int
    log: str
    running: bool


class Process:
    """One component and the process that plays it at the moment."""

    def __init__(self, component: Component, prefix: list[str], log: Path) -> None:
        """Run ``component`` behind ``prefix`` (the way into its node), writing to ``log``."""
        self.component = component
        self.restarts = -1
        self._argv = [*prefix, *component.argv]
        self._log = log
        self._born = 0.0
        self._due = 0.0
        self._pause = FIRST_PAUSE
        self._since = ""
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it (again)."""
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=environment(**self.component.env),
                start_new_session=True,
            )
        self._born = time.monotonic()
        self._since = datetime.now(UTC).isoformat(timespec="seconds")
        self.restarts += 1

    @property
    def running(self) -> bool:
        """Tell whether it lives."""
        return self._child is not None and self._child.poll() is None

    def revive(self) -> bool:
        """Start it again if it has ended and its pause is over; tell whether that was done."""
        now = time.monotonic()
        if self.running:
            if now - self._born > FORGIVEN_AFTER:
                self._pause = FIRST_PAUSE
            return False
        if not self._due:
            self._due = now + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        if now < self._due:
            return False
        self._due = 0.0
        try:
            self.start()
        except OSError:
            return False  # its program or log is gone; tried again after the next pause
        return True

    def stop(self, seconds: float) -> None:
        """Ask it to end; after ``seconds`` end it."""
        if self._child is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._child.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(seconds)

    def trim(self) -> None:
        """Empty a log that has grown too large; it is opened for appending, so writing goes on."""
        with contextlib.suppress(OSError):
            if self._log.stat().st_size > LOG_LIMIT:
                os.truncate(self._log, 0)

    @property
    def row(self) -> Row:
        """Give what is to be told about it."""
        pid = self._child.pid if self._child else 0
        started = registry.start_time(pid) if pid else 0
        return Row(
            self.component.name,
            pid,
            started,
            self._since,
            max(self.restarts, 0),
            str(self._log),
            self.running,
        )


class Crew:
    """All processes of a lab."""

    def __init__(self, logs: Path, table: Path) -> None:
        """Write logs into ``logs`` and what runs to the file ``table``."""
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._table = table
        self._members: dict[str, Process] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def add(self, component: Component, prefix: list[str]) -> Process:
        """Start a component and keep it running."""
        process = Process(component, prefix, self._logs / f"{component.name}.log")
        with self._lock:
            if self._ending.is_set():
                return process
            process.start()
            self._members[component.name] = process
        if not self._watcher.is_alive() and not self._ending.is_set():
            with contextlib.suppress(RuntimeError):  # two first ones at once
                self._watcher.start()
        self._tell()
        return process

    def end(self) -> None:
        """Start nothing any more, and nothing again."""
        with self._lock:
            self._ending.set()

    def stop(self, *suffixes: str, seconds: float) -> None:
        """Stop the components whose names end so, all at once; call ``end`` before."""
        chosen = [process for name, process in self._members.items() if name.endswith(suffixes)]
        stoppers = [threading.Thread(target=process.stop, args=(seconds,)) for process in chosen]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join()

    def _watch(self) -> None:
        looks = 0
        while not self._ending.wait(LOOK_EVERY):
            looks += 1
            with self._lock:
                if self._ending.is_set():
                    return
                changed = [process.revive() for process in self._members.values()]
                if looks % 100 == 0:
                    for process in self._members.values():
                        process.trim()
            if any(changed):
                self._tell()

    def _tell(self) -> None:
        with self._lock:
            rows: list[dict[str, Any]] = [asdict(process.row) for process in self._members.values()]
            with contextlib.suppress(OSError):
                files.write_json(self._table, {"processes": rows}, mode=0o644)
