"""One supervisor a home: the kernel's lock says whether one lives, a file says where it serves."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from command import home as homes
from command import pids
from command.terminal import say
from lab.files import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from command.home import Home

SUPERVISOR: Final = "atoll"
LEFTOVER_SECONDS: Final = 60
"""A lab takes its time to put everything back."""


@dataclass(frozen=True)
class Serving:
    """What a running supervisor tells of itself."""

    url: str
    host: str
    process: pids.Process


@contextmanager
def claimed(home: Home) -> Iterator[bool]:
    """Holds the home for this process; gives False where another one has it."""
    handle = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(handle)


def taken(home: Home) -> bool:
    """Whether a supervisor lives."""
    if not home.lock.exists():
        return False
    with claimed(home) as free:
        return not free


def announce(home: Home, url: str, host: str) -> None:
    """Writes down where this process serves."""
    process = pids.identify(SUPERVISOR, os.getpid())
    homes.write(home.up, json.dumps(asdict(Serving(url, host, process)), indent=2) + "\n")


def withdraw(home: Home) -> None:
    """It serves no longer."""
    home.up.unlink(missing_ok=True)


def serving(home: Home) -> Serving | None:
    """Where the living supervisor serves; ``None`` where there is none, or it has not come that far."""
    found = read_json(home.up)
    if not found or not taken(home):
        return None
    return Serving(found["url"], found["host"], pids.Process(**found["process"]))


def reap(home: Home) -> None:
    """Ends what a supervisor that died left running."""
    for process in pids.recorded(home):
        if pids.stop(process, home, seconds=LEFTOVER_SECONDS):
            say(f"{process.name}: was left over from an earlier run and is ended now")
        pids.forget(home, process.name)
    withdraw(home)
