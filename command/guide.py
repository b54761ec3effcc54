"""Tells a person how far everything is and, once it is there, what to do with it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from command.terminal import HEARTBEAT_SECONDS, elapsed, say, show, since_start
from lab.files import read_json
from lab.images import BUSYBOX_IMAGE

if TYPE_CHECKING:
    from command.home import Home

LOOK_SECONDS: Final = 0.5
HOST_STARTING: Final = "HostStarting"
CLUSTER: Final = "/api/v1/tenants/demo/clusters/first"


@dataclass
class Guide:
    """Works in threads of its own; ``stop`` ends them."""

    home: Home
    url: str
    demo: bool
    host_ready: threading.Event
    stop: threading.Event

    def follow_lab(self) -> None:
        """From now on says each step of the lab."""
        threading.Thread(target=self._follow_lab, daemon=True).start()

    def follow_portal(self) -> None:
        """Says when the portal answers, how to sign in and how demo/first comes along."""
        threading.Thread(target=self._follow_portal, daemon=True).start()

    def _follow_lab(self) -> None:
        """Says each step of the lab once, and that it still goes on."""
        told, told_at = "", 0.0
        while not self.stop.wait(LOOK_SECONDS):
            line = lab_line(read_json(self.home.lab / "progress.json"))
            late = time.monotonic() - told_at > HEARTBEAT_SECONDS and not line.startswith("lab ready")
            if line and (line != told or late):
                say(line)
                told, told_at = line, time.monotonic()

    def _follow_portal(self) -> None:
        while not self._answers():
            if self.stop.wait(LOOK_SECONDS):
                return
        say(f"portal: {self.url} answers")
        show(self._sign_in())
        if self.demo:
            self._follow_cluster()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/livez", timeout=5).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def _follow_cluster(self) -> None:
        """Says each change of demo/first until it is ready or gone."""
        told = ""
        while not self.stop.wait(LOOK_SECONDS):
            cluster = self._cluster()
            if cluster is None:
                return
            line = cluster_line(cluster)
            if line and line != told:
                say(f"demo/first: {line}")
                told = line
            # What was so before a stop says little while its host is still starting.
            if self.host_ready.is_set() and self._ready():
                say(f"demo/first is ready, {elapsed(since_start())} after the start")
                show(kubectl(self.home, self.url))
                return

    def _cluster(self) -> dict[str, Any] | None:
        """``None`` for one that was deleted; empty where there was no answer."""
        answer = self._get("")
        if answer is None:
            return {}
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return dict(answer.json()) if answer.is_success else {}

    def _ready(self) -> bool:
        answer = self._get("/ready")
        return answer is not None and answer.is_success

    def _get(self, path: str) -> httpx.Response | None:
        try:
            token = self.home.token("demo").read_text().strip()
            return httpx.get(
                self.url + CLUSTER + path, headers={"Authorization": f"Bearer {token}"}, timeout=10
            )
        except (OSError, httpx.HTTPError):
            return None

    def _sign_in(self) -> str:
        people = ("admin", "demo") if self.demo else ("admin",)
        lines = [f"    Sign in  {name}  {_password(self.home, name)}" for name in people]
        after = [f"    Tokens   {self.home.root}/*.token", "    Stop     Ctrl-C (the data stays)"]
        return "\n".join(["", f"    Open     {self.url}", *lines, *after, ""])


def lab_line(progress: dict[str, Any]) -> str:
    """One step of the lab for the terminal; empty while there is nothing to tell."""
    if not progress.get("state") or progress["state"] == "stopped":
        return ""
    count = f"{progress['done']}/{progress['total']} " if progress.get("total") else ""
    return f"lab {progress['state']}: {count}{progress.get('step', '')}"


def cluster_line(cluster: dict[str, Any]) -> str:
    """The phase and what it waits for; the host's own steps are told by the host."""
    status = cluster.get("status", {})
    if status.get("phase") in {None, "Ready"}:
        return ""
    open_ones = [c for c in status.get("conditions", []) if c["status"] == "False" and c["message"]]
    if open_ones and open_ones[0]["reason"] == HOST_STARTING:
        return f"{status['phase']}: waits for its host"
    return ": ".join([status["phase"], *(c["message"] for c in open_ones[:1])])


def kubectl(home: Home, url: str) -> str:
    """Lines to paste that end in the answer of the tenant's own API server."""
    read = "import json,sys; print(json.load(sys.stdin)['kubeconfig'])"
    return f"""
    In another terminal:

    curl -sS --fail-with-body -X POST -H "Authorization: Bearer $(cat {home.token("demo")})" \\
        {url}{CLUSTER}/kubeconfig | python3 -c "{read}" > first.kubeconfig
    export KUBECONFIG=$PWD/first.kubeconfig PATH={home.root / "bin"}:$PATH
    kubectl run hello --image={BUSYBOX_IMAGE} --restart=Never -- uname -r; sleep 5; kubectl logs hello
"""


def _password(home: Home, username: str) -> str:
    try:
        lines = home.credentials.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, password = line.partition(": ")
        if name == username:
            return password
    return "(set earlier; not kept here)"
