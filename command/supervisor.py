"""Keeps services running: starts, restarts, stops in order."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from command import service as services
from command.terminal import elapsed, say, show

if TYPE_CHECKING:
    from command.home import Home
    from command.service import Running, Service

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
GOOD_SECONDS: Final = 60.0
"""Who ran this long was well: its next end is counted as a first one."""


@dataclass
class Care:
    """What is known of one service."""

    service: Service
    running: Running | None = None
    since: float = 0.0
    ends: int = 0
    again_at: float = 0.0
    last_words: str = ""


@dataclass
class Supervisor:
    """Main thread only (see ``service.start``); ``tend`` is called a few times a second."""

    home: Home
    environment: dict[str, str]
    cares: list[Care] = field(default_factory=list)

    def start(self, service: Service) -> None:
        """Starts a service and answers for it from now on."""
        care = Care(service)
        self.cares.append(care)
        self._start(care)
        say(f"{service.name}: started (log: {services.log_path(self.home, service.name)})")

    def tend(self) -> None:
        """Looks once at every service: restarts what has ended, less and less eagerly, and bounds the logs."""
        for care in self.cares:
            if care.running is not None and care.running.status is not None:
                self._mourn(care, care.running)
            elif care.running is None and time.monotonic() >= care.again_at:
                self._start(care)
                say(f"{care.service.name}: restarted")
            elif care.running is not None:
                services.trim(care.running, self.home)

    def stop(self) -> None:
        """Stops all, the last started first."""
        for care in reversed(self.cares):
            if care.running is not None:
                began = time.monotonic()
                services.stop(care.running, self.home)
                say(f"{care.service.name}: stopped in {elapsed(time.monotonic() - began)}")
                care.running = None

    def running(self, name: str) -> bool:
        """Whether this service lives at the moment."""
        return any(c.service.name == name and c.running and c.running.status is None for c in self.cares)

    def _start(self, care: Care) -> None:
        care.running = services.start(care.service, self.home, self.environment)
        care.since = time.monotonic()

    def _mourn(self, care: Care, dead: Running) -> None:
        """Tells of an end and sets the time of the next try."""
        services.clear(dead, self.home)
        care.running = None
        care.ends = 1 if time.monotonic() - care.since > GOOD_SECONDS else care.ends + 1
        pause = pause_before(care.ends)
        care.again_at = time.monotonic() + pause
        name = care.service.name
        say(f"{name}: ended ({_how(dead.status)}); again in {elapsed(pause)}")
        words = services.tail(self.home, name, begin=dead.log_from)
        if words != care.last_words:  # the same ones need no telling again
            show("\n".join(f"    {name} | {line}" for line in words.splitlines()))
        care.last_words = words


def pause_before(ends: int) -> float:
    """Seconds to wait before the next start after so many ends in a row."""
    return min(FIRST_PAUSE * 2.0 ** (ends - 1), LONGEST_PAUSE)


def _how(status: int | None) -> str:
    return f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
