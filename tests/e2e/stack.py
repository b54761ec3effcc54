"""A whole Atoll, started as a person starts it, and the few verbs the tests need."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
RECEIVERS = {"ATOLL_WEBHOOK_ALLOW": "127.0.0.0/8", "ATOLL_WEBHOOK_HTTP": "true"}
"""As an admin allows receivers on this machine; a stack that is given by ``TEST_STACK`` needs the same."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str | Callable[[], str], look: Any, seconds: float, every: float = 0.5) -> Any:
    """The first true answer of ``look``; fails with ``what``, as it is then, when the time is up."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            msg = f"not within {seconds} s: {what() if callable(what) else what}"
            raise AssertionError(msg)
        time.sleep(every)


@dataclass
class Stack:
    """One running ``./atoll up``."""

    home: Path
    port: int
    kubectl: Path
    helm: Path
    process: subprocess.Popen[bytes] | None = None
    log: Path = field(default_factory=Path)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ATOLL_")}
        kept = {key: os.environ[key] for key in ("ATOLL_CACHE",) if key in os.environ}
        clock = {"ATOLL_REHEARSAL_CLOCK": str(self.home / "ahead")}  # not there: the days go as they do
        return {**clean, **kept, **clock, **RECEIVERS, "ATOLL_HOME": str(self.home)}

    def up(self) -> None:
        self.log = self.home.with_suffix(f".{int(time.time())}.log")
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, str(REPOSITORY / "atoll"), "up", "--port", str(self.port)],
                cwd=REPOSITORY,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        wait_for(f"portal answers, see {self.log}", self.answers, 240)

    def answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            msg = f"./atoll up ended: {self.log.read_text()[-3000:]}"
            raise AssertionError(msg)
        try:
            return httpx.get(f"{self.url}/livez", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """As Ctrl-C does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(120)

    def command(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(REPOSITORY / "atoll"), *words],
            cwd=REPOSITORY,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def client(self, token_file: str = "demo.token") -> httpx.Client:
        token = (self.home / token_file).read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=60)

    def host(self, *words: str) -> Any:
        """``kubectl`` as the lab's cluster-admin, with JSON read."""
        text = self.run_kubectl(self.home / "lab" / "kubeconfig", *words, "-o", "json")
        return json.loads(text)

    def run_kubectl(self, kubeconfig: Path, *words: str, timeout: float = 120) -> str:
        done = subprocess.run(
            [str(self.kubectl), "--kubeconfig", str(kubeconfig), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def workers(self) -> list[int]:
        """Process ids of the Celery worker and its children; none while it is being started again."""
        worker = json.loads(self.command("status", "--json").stdout)["services"].get("worker")
        return [worker["pid"], *children(worker["pid"])] if worker and worker["running"] else []

    def namespaces(self, tenant: str, name: str) -> list[str]:
        prefix = f"atoll-{tenant}-{name}-"
        items = self.host("get", "namespaces")["items"]
        return [i["metadata"]["name"] for i in items if i["metadata"]["name"].startswith(prefix)]

    def releases(self, namespace: str) -> list[str]:
        """Names of the Helm releases in a namespace."""
        secrets = self.host("get", "secrets", "-n", namespace, "-l", "owner=helm")["items"]
        return sorted({s["metadata"]["labels"]["name"] for s in secrets})


def children(pid: int) -> list[int]:
    """All descendants of a process, from /proc."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        mine = parents.get(todo.pop(), [])
        found += mine
        todo += mine
    return found


class Team:
    """One tenant's view through the API."""

    def __init__(self, api: httpx.Client, tenant: str) -> None:
        self.api, self.tenant = api, tenant

    def path(self, name: str, rest: str = "") -> str:
        return f"/tenants/{self.tenant}/clusters/{name}{rest}"

    def put(self, name: str, spec: dict[str, Any] | None = None) -> httpx.Response:
        return self.api.put(self.path(name), json={"spec": spec or {}})

    def get(self, name: str) -> httpx.Response:
        return self.api.get(self.path(name))

    def delete(self, name: str) -> httpx.Response:
        return self.api.delete(self.path(name))

    def wait_ready(self, name: str, seconds: float = 240) -> None:
        def look() -> bool:
            answer = self.api.get(self.path(name, "/ready"))
            assert answer.status_code in {200, 503}, answer.text
            return answer.status_code == 200

        wait_for(lambda: f"{name} is Ready; it is {self.get(name).text}", look, seconds)

    def wait_gone(self, name: str, seconds: float = 240) -> None:
        wait_for(f"{name} is gone", lambda: self.get(name).status_code == 404, seconds)

    def report(self, name: str, seconds: float = 90, meanwhile: Any = lambda: None) -> dict[str, Any]:
        """An isolation report asked for now, made; ``meanwhile`` is done before it is asked for, and until it is there."""
        meanwhile()
        asked = self.api.post(self.path(name, "/reports"), json={})
        assert asked.status_code == 202, asked.text
        path = self.path(name, f"/reports/{asked.json()['uid']}")

        def made() -> Any:
            meanwhile()
            found = self.api.get(path).json()
            return found if found["state"] != "pending" else None

        found: dict[str, Any] = wait_for(f"the report of {name} is made", made, seconds)
        return found

    def phase(self, name: str) -> str:
        return str(self.get(name).json()["status"]["phase"])

    def kubeconfig(self, name: str, folder: Path) -> Path:
        answer = self.api.post(self.path(name, "/kubeconfig"), json={})
        assert answer.status_code == 201, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        path = folder / f"{name}.yaml"
        path.write_text(answer.json()["kubeconfig"])
        path.chmod(0o600)
        return path


@contextmanager
def brought_up(made: Stack) -> Iterator[None]:
    """Started, with demo/first ready; stopped in the end."""
    made.up()
    try:
        with made.client() as api:
            demo = Team(api, "demo")
            wait_for("the bootstrap made demo/first", lambda: demo.get("first").status_code == 200, 120)
            demo.wait_ready("first", 300)
        yield
    finally:
        made.stop()
