"""What the command says: one line a step, each with the time since the start."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

HEARTBEAT_SECONDS: Final = 15.0

BEGAN: Final = "COMMAND_BEGAN"
"""In the environment across the hand-over from the bootstrap: one clock for both."""

_began = float(os.environ.pop(BEGAN, time.monotonic()))


class CommandError(Exception):
    """The command cannot go on; the message names the cause and the fix. ``status`` is the exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def elapsed(seconds: float) -> str:
    """A duration for people: ``4.2 s`` or ``3 min 05 s``."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def since_start() -> float:
    """Seconds since this process began to talk."""
    return time.monotonic() - _began


def carry_clock() -> None:
    """Lets the program that takes this one's place go on counting."""
    os.environ[BEGAN] = str(_began)


def say(text: str) -> None:
    """Tells one line, with the time; safe from several threads."""
    sys.stdout.write(f"[{since_start():6.1f} s] {text}\n")
    sys.stdout.flush()


def show(text: str) -> None:
    """Prints text as it is: results, not progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Says on standard error what went wrong."""
    sys.stderr.write(f"atoll: {text}\n")
    sys.stderr.flush()


@contextmanager
def step(text: str) -> Iterator[None]:
    """Tells a step's begin, that it still runs (every HEARTBEAT_SECONDS) and how long it took."""
    began = time.monotonic()
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            say(f"{text}: {elapsed(time.monotonic() - began)} so far")

    say(f"{text} …")
    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
    say(f"{text}: done in {elapsed(time.monotonic() - began)}")
