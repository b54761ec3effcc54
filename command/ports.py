"""Whether a port is free, and who has it."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

from command.terminal import CommandError

ADDRESS: Final = "127.0.0.1"
LISTENING: Final = "0A"


def check(port: int) -> None:
    """Raises CommandError that names who listens there and the way out."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise CommandError(_refusal(port, error)) from error


def _refusal(port: int, error: OSError) -> str:
    if error.errno != errno.EADDRINUSE:
        return f"port {port} cannot be used ({error.strerror}): choose another with --port"
    who = holder(port) or "another process"
    return f"port {port} is taken by {who}: stop that, or choose another port, for example --port {port + 1}"


def holder(port: int) -> str:
    """The command and process id that listen on a port; empty where that cannot be told."""
    inodes = _listening(port)
    for folder in Path("/proc").glob("[0-9]*"):
        if inodes & _sockets(folder):
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            return f"process {folder.name} ({words.strip()[:120]})"
    return ""


def _listening(port: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _sockets(process: Path) -> set[str]:
    found = set()
    with suppress(OSError):  # it ended, or is somebody else's
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                found.add(str(descriptor.readlink()))
    return found
