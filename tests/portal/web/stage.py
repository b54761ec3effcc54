"""A portal of its own, as a process with its own home, and the scenes that play in it.

``python -m tests.portal.web.stage HOME`` serves on a free port of loopback, prints
where and with which password, and then plays one scene for each line of standard input. Scenes write
what the provisioner would, through the same actions.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).resolve().parents[3]
STEPS = (
    "Host",
    "Namespace",
    "Limits",
    "Network rules",
    "Control plane release",
    "API server",
    "Sandbox",
    "DNS",
    "Access",
)
WAITS = (
    "host 'lab' answers; what it offers is being read",
    "waiting for the host to make it",
    "waiting for the host to count what the namespace uses",
    "network rules are being applied",
    "Helm is installing release 'cluster'",
    "pod cluster-0 is starting: 1 of 2 containers are ready",
    "a probe pod reads its kernel from inside",
    "1 of 1 CoreDNS pods is starting",
    "waiting for the certificate of the tenant's API",
)


class Stage:
    """The stage as a test drives it from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        told = self._answer()
        self.url, self.password = str(told["url"]), str(told["password"])

    def play(self, scene: str, *words: str) -> None:
        """Plays one scene to its end; its failure is raised here."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([scene, *words]) + "\n")
        self._process.stdin.flush()
        assert self._answer() == {"played": scene}

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the stage ended with {self._process.wait(10)}"
        return dict(json.loads(line))


@contextmanager
def opened(home: Path) -> Iterator[Stage]:
    """Starts a stage and ends it."""
    command = [sys.executable, "-m", "tests.portal.web.stage", str(home)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    try:
        yield Stage(process)
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """A stage ends with its standard input; one that does not is killed."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def main(home: str) -> None:
    """Serves and plays until standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    os.environ.update(ATOLL_HOME=home, ATOLL_PUBLIC_URL=url, DJANGO_SETTINGS_MODULE="portal.settings")
    prepare()
    serve(listener)
    from tests.factories import PASSWORD
    from tests.portal.web import scenes

    say(url=url, password=PASSWORD)
    for line in sys.stdin:
        name, *words = json.loads(line)
        play: Callable[..., None] = getattr(scenes, name)
        play(*words)
        say(played=name)


def prepare() -> None:
    """A migrated database, and passwords that are hashed quickly."""
    import django

    django.setup()
    from django.conf import settings

    # Passwords are hashed slowly on purpose; nothing here tests that.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def serve(listener: socket.socket) -> None:
    """The portal on this socket, in a thread that ends with the process."""
    import uvicorn

    config = uvicorn.Config("portal.asgi:application", log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()


def say(**fields: str) -> None:
    """A line for who started this process."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
