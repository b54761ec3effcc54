"""``progress.json``: what a lab is doing, for the terminal and for those who wait for it."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lab import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Report = Callable[[str, int, int], None]


class State(StrEnum):
    """Where a lab stands."""

    BUILDING = "building"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Progress:
    """One look at a lab. ``since`` is when this state began, in ISO 8601."""

    state: State = State.STOPPED
    step: str = ""
    done: int = 0
    total: int = 0
    since: str = ""


def read(path: Path) -> Progress:
    """Give what ``path`` tells; nothing there reads as stopped."""
    found = files.read_json(path)
    try:
        return Progress(
            State(found["state"]),
            str(found["step"]),
            int(found["done"]),
            int(found["total"]),
            str(found["since"]),
        )
    except (KeyError, TypeError, ValueError):
        return Progress()


class Journal:
    """Writes the progress of one start and says each step aloud once."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        """Write to ``path``; tell people through ``say``."""
        self._path = path
        self._say = say
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._now = Progress()

    def write(self, state: State, step: str, done: int = 0, total: int = 0) -> None:
        """Record where the lab stands; safe from several threads."""
        with self._lock:
            if (state, step, done, total) == (
                self._now.state,
                self._now.step,
                self._now.done,
                self._now.total,
            ):
                return
            since = (
                self._now.since
                if state is self._now.state
                else datetime.now(UTC).isoformat(timespec="seconds")
            )
            said = step != self._now.step or state is not self._now.state
            self._now = Progress(state, step, done, total, since)
            value: dict[str, Any] = asdict(self._now)
            if self._path.parent.is_dir():  # a home that vanished is not to come back
                # Readable for the service's own user: it tells nothing secret.
                files.write_json(self._path, value, mode=0o644)
        if said:
            self._say(line(self._now, time.monotonic() - self._began))

    def building(self, step: str, done: int, total: int) -> None:
        """Record a step of the build; fits as the ``report`` of ``lab.build`` and ``lab.images``."""
        self.write(State.BUILDING, step, done, total)


def line(progress: Progress, elapsed: float) -> str:
    """Say one step for a terminal; ``elapsed`` in seconds."""
    count = f"{progress.done}/{progress.total} " if progress.total else ""
    return f"[{elapsed:6.1f} s] lab {progress.state}: {count}{progress.step}"
