"""A cluster's life from the command line of the checkout, as a person has it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from tests.e2e.stack import REPOSITORY

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture
def atoll(stack, tmp_path, monkeypatch):
    """Runs ``./atoll`` with files of its own; gives what it wrote."""
    for name in ("config", "cache"):  # for the plugin too, which kubectl starts
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))

    def run(*words, status=0):
        done = subprocess.run(
            [sys.executable, str(REPOSITORY / "atoll"), *words],
            cwd=tmp_path,
            env=stack.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=330,
            check=False,
        )
        assert done.returncode == status, done.stderr + done.stdout
        return done.stdout

    return run


def test_a_cluster_from_create_to_gone(stack, atoll, tmp_path):
    assert "demo/first" in atoll("cluster", "list", "-o", "name").split()
    made = json.loads(atoll("cluster", "create", "demo/cli", "--wait", "--timeout", "5m", "-o", "json"))
    assert made["status"]["phase"] == "Ready"
    assert atoll("cluster", "apply", "demo/cli") == "cluster demo/cli unchanged\n"

    path = tmp_path / "kubeconfig"
    atoll("cluster", "kubeconfig", "demo/cli", "-f", str(path))
    (user,) = yaml.safe_load(path.read_text())["users"]
    assert list(user["user"]) == ["exec"]
    assert "kube-system" in stack.run_kubectl(path, "get", "namespaces")
    (kept,) = (tmp_path / "cache" / "atoll" / "credentials").glob("*.json")
    kept.unlink()  # as after its end: kubectl asks for another
    assert "kube-system" in stack.run_kubectl(path, "get", "namespaces")
    assert kept.exists()

    assert atoll("cluster", "delete", "demo/cli", "--yes", "--wait") == "cluster demo/cli is gone\n"
    assert stack.namespaces("demo", "cli") == []
    atoll("cluster", "get", "demo/cli", status=3)
