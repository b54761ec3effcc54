"""An Atoll for tools: a portal of its own as a process, and a host that is played.

``python -m tests.iac.stage HOME`` serves on a free port of loopback and prints where,
with a token for each person: ada owns team ``demo``, grace belongs nowhere yet, root is an
admin. It ends with its standard input.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.portal.web.stage import end, prepare, say, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "docs" / "iac"


@dataclass(frozen=True)
class Atoll:
    """A running one, as a test drives it from outside."""

    url: str
    tokens: dict[str, str]

    def environment(self, who: str = "ada", **more: str) -> dict[str, str]:
        """What the examples read; nothing of the person's own settings."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ATOLL_", "TF_"))}
        path = f"{Path(sys.executable).parent}:{clean['PATH']}"
        return {**clean, "PATH": path, "ATOLL_URL": self.url, "ATOLL_TOKEN": self.tokens[who], **more}

    def api(self, who: str = "ada") -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=30)

    def clusters(self) -> list[dict[str, Any]]:
        """Those of ``demo``."""
        with self.api() as api:
            return list(api.get("/tenants/demo/clusters").json()["items"])

    def operations(self) -> list[tuple[str, str]]:
        """What was asked for so far, oldest first: kind, and name of the cluster."""
        with self.api() as api:
            found = api.get("/operations", params={"limit": 100}).json()["items"]
        return [(one["kind"], one["target"]["name"]) for one in reversed(found)]


def run(
    argv: list[str], environment: dict[str, str], folder: Path, *, timeout: float = 120, status: int = 0
) -> str:
    """What a command prints; fails with all it said where it ends otherwise than expected."""
    done = subprocess.run(
        argv,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == status, f"{argv} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def opened(home: Path, **settings: str) -> Iterator[Atoll]:
    """Starts one and ends it."""
    command = [sys.executable, "-m", "tests.iac.stage", str(home)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, **settings},
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"the stage ended with {process.wait(10)}"
        told = json.loads(line)
        yield Atoll(told.pop("url"), told)
    finally:
        end(process)


def main(home: str) -> None:
    """Serves until standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    os.environ.update(ATOLL_HOME=home, ATOLL_PUBLIC_URL=url, DJANGO_SETTINGS_MODULE="portal.settings")
    prepare()
    from tests import factories
    from tests.iac import host

    ada = factories.actor("ada")
    people = {"ada": ada, "grace": factories.actor("grace"), "root": factories.admin()}
    factories.tenant("demo", owner=ada)
    factories.accelerator("nvidia-h100")
    factories.gpu_pool(4)
    serve(listener)
    host.play()
    say(url=url, **{name: factories.token(who) for name, who in people.items()})
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
