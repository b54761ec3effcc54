"""Portals as processes, over a database that was filled before: SQLite in a home, or a PostgreSQL.

``python -m tests.support.portals`` fills the database of its environment and prints the tokens.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
TEAMS = ("loud", "quiet")
"""Each has an owner of its name, with a token and ``PASSWORD``, and the cluster ``first``."""
PASSWORD = "correct horse battery"
START_SECONDS = 60


def fill(home: Path, **settings: str) -> dict[str, str]:
    """Makes the tables and the world; gives a token of each person, ``root`` among them."""
    argv = [sys.executable, "-m", "tests.support.portals"]
    done = subprocess.run(
        argv, env=environment(home, **settings), cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def environment(home: Path, **settings: str) -> dict[str, str]:
    """Of a portal with this home; ``rate_token="0"`` becomes the setting."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ATOLL_")}
    given = {f"ATOLL_{name.upper()}": value for name, value in settings.items()}
    return {**kept, "ATOLL_HOME": str(home), "DJANGO_SETTINGS_MODULE": "portal.settings", **given}


@contextmanager
def portal(home: Path, **settings: str) -> Iterator[str]:
    """One more process, and where it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url, log = f"http://127.0.0.1:{port}", home / f"portal-{port}.log"
    argv = [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port)]
    argv += [
        "--http",
        "portal.server:Protocol",
        "--no-proxy-headers",
        "--no-access-log",
        "--timeout-graceful-shutdown",
        "1",
    ]
    told = environment(home, public_url=url, **settings)
    with log.open("wb") as stream:
        process = subprocess.Popen(argv, env=told, cwd=REPOSITORY, stdout=stream, stderr=stream)
    try:
        _wait(process, url, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            httpx.get(f"{url}/livez")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"no portal: {log.read_text()}")


def main() -> None:
    """Fills the database."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from tests import factories

    factories.host()
    made = {"root": factories.token(factories.admin())}
    for name in TEAMS:
        owner = factories.actor(name)
        factories.tenant(name, owner=owner)
        factories.ready(factories.cluster(owner, name))
        made[name] = factories.token(owner)
    sys.stdout.write(json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
