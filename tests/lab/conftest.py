"""A lab of these tests' own, apart from any other on the machine, and a way to talk with it."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from lab import api, images

if TYPE_CHECKING:
    from collections.abc import Callable

WORKER = {"tenancy.atoll.internal/role": "worker"}
CONTROL_PLANE = {"tenancy.atoll.internal/role": "control-plane"}


class Cluster:
    """kubectl against one lab."""

    def __init__(self, lab: api.Lab) -> None:
        self.lab = lab

    def kubectl(self, *arguments: str, stdin: str = "", timeout: float = 60) -> str:
        done = self.attempt(*arguments, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def attempt(
        self, *arguments: str, stdin: str = "", timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        command = [f"{self.lab.bin_dir}/kubectl", f"--kubeconfig={self.lab.kubeconfig}", *arguments]
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False, cwd="/"
        )

    def get(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def apply(self, *values: dict[str, Any]) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(values)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(items))

    def run_pods(self, namespace: str, *pods: dict[str, Any]) -> None:
        """Make pods and wait until all are ready."""
        self.apply(*pods)
        names = [f"pod/{pod['metadata']['name']}" for pod in pods]
        self.kubectl("-n", namespace, "wait", "--for=condition=Ready", "--timeout=60s", *names, timeout=70)

    def ip(self, namespace: str, name: str) -> str:
        return str(self.get("-n", namespace, "pod", name)["status"]["podIP"])

    def reaches(self, namespace: str, pod: str, address: str, port: int) -> bool:
        """Whether a TCP connection from inside a pod comes about."""
        script = f"nc -w 2 {address} {port} </dev/null"
        return self.attempt("-n", namespace, "exec", pod, "--", "sh", "-c", script).returncode == 0

    @contextmanager
    def namespace(self, name: str):
        self.kubectl("create", "namespace", name)
        try:
            until(lambda: self.attempt("-n", name, "get", "serviceaccount", "default").returncode == 0)
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")


def pod(namespace: str, name: str, *command: str, **spec: Any) -> dict[str, Any]:
    """A pod of busybox; by default it listens on port 8080 and greets."""
    script = command or ("sh", "-c", "while true; do echo hello | nc -l -p 8080; done")
    container = {"name": "main", "image": images.BUSYBOX_IMAGE, "command": list(script)}
    container |= spec.pop("container", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], **spec},
    }


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.2)


@pytest.fixture(scope="package")
def cluster(lab_home):
    """For the tests of what a lab can do: four pretend accelerators and two pretend nodes."""
    return Cluster(api.describe(lab_home))
