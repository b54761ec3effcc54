"""The hardened command over a stand-in for Helm: a script that records how it was called."""

from __future__ import annotations

import json
import stat

import pytest

from provisioner.adapters.helm import HardenedCommand, PyHelm, meaning
from provisioner.adapters.process import Ended
from provisioner.outcomes import LeaseLost
from provisioner.ports import Busy, Refused, Rejected, Unreachable
from provisioner.release.state import DIGEST_LABEL
from tenancy.enums import Reason
from tests.fakes.world import FakeGuard
from tests.provisioner.harness import CHART

RELEASE_JSON = {
    "name": "cluster",
    "namespace": "n",
    "version": 1,
    "info": {"status": "deployed", "last_deployed": "2026-01-01T00:00:00Z", "description": "ok"},
    "manifest": "",
}


@pytest.fixture
def helm(tmp_path):
    """``helm(body)``: a PyHelm whose binary is a shell script; calls land in ``tmp_path/calls``."""
    binary = tmp_path / "helm"

    def make(body="", guard=None):
        answer = tmp_path / "answer.json"
        answer.write_text(json.dumps(RELEASE_JSON))
        script = f"""#!/bin/sh
for a in "$@"; do echo "$a" >> {tmp_path}/calls; done
env > {tmp_path}/environment
[ "$1" = upgrade ] && cat > {tmp_path}/stdin
{body}
cat {answer}
"""
        binary.write_text(script)
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
        command = HardenedCommand(
            str(binary), tmp_path / "home", tmp_path / "kube.yaml", guard or FakeGuard(), "lab"
        )
        return PyHelm(command, CHART)

    return make


def test_an_install(helm, tmp_path):
    helm().install("n", {"a": {"b": "; touch x"}}, "d1g")
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[:3] == ["upgrade", "cluster", str(CHART)]
    assert {"--install", "--namespace", "n", "--labels", f"{DIGEST_LABEL}=d1g"} <= set(calls)
    assert not {"--wait", "--create-namespace", "--atomic"} & set(calls)
    assert "touch" not in " ".join(calls)
    assert json.loads((tmp_path / "stdin").read_text()) == {"a": {"b": "; touch x"}}


def test_its_environment_is_its_own(helm, tmp_path, monkeypatch):
    monkeypatch.setenv("ATOLL_SECRET_KEY", "secret")
    helm().install("n", {}, "d")
    names = {line.partition("=")[0] for line in (tmp_path / "environment").read_text().splitlines()}
    assert "ATOLL_SECRET_KEY" not in names
    assert {"KUBECONFIG", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"} <= names


def test_an_uninstall_of_nothing_is_fine(helm):
    helm('echo "Error: uninstall: Release not loaded: cluster: release: not found" >&2; exit 1').uninstall(
        "n"
    )


def test_a_rollback(helm, tmp_path):
    helm().rollback("n", 3)
    assert (tmp_path / "calls").read_text().splitlines()[:3] == ["rollback", "cluster", "3"]


def test_without_the_lease_it_does_not_start(helm, tmp_path):
    guard = FakeGuard()
    guard.held = False
    with pytest.raises(LeaseLost):
        helm(guard=guard).uninstall("n")
    assert not (tmp_path / "calls").exists()


def test_it_ends_before_the_lease_does(helm):
    class Short(FakeGuard):
        def left(self):
            return 7.0

    with pytest.raises(Busy, match="did not end within 1 s") as caught:
        helm("exec sleep 60", guard=Short()).uninstall("n")
    assert caught.value.reason is Reason.RELEASE_FAILED


@pytest.mark.parametrize(
    ("said", "error", "reason"),
    [
        ("Error: Kubernetes cluster unreachable: Get ...", Unreachable, Reason.HOST_UNREACHABLE),
        ("dial tcp 10.0.0.1:6443: connect: connection refused", Unreachable, Reason.HOST_UNREACHABLE),
        ("dial tcp: i/o timeout", Unreachable, Reason.HOST_UNREACHABLE),
        ('secrets is forbidden: User "x" cannot create', Refused, Reason.FORBIDDEN),
        ("You must be logged in to the server", Refused, Reason.FORBIDDEN),
        ("pods is forbidden: exceeded quota: atoll-quota", Busy, Reason.QUOTA_EXCEEDED),
        (
            "forbidden: unable to create new content in namespace n because it is being terminated",
            Busy,
            Reason.WAITING,
        ),
        ("another operation (install/upgrade/rollback) is in progress", Busy, Reason.INSTALLING),
        ("values don't meet the specifications of the schema(s)", Rejected, Reason.CHART_INVALID),
        ("execution error at (x): no", Rejected, Reason.CHART_INVALID),
        ("Unable to continue with install: invalid ownership metadata", Rejected, Reason.CONFLICT),
        ("something nobody has seen", Busy, Reason.RELEASE_FAILED),
        ("", Busy, Reason.RELEASE_FAILED),
    ],
)
def test_meaning(said, error, reason):
    found = meaning(Ended(1, b"", said.encode(), overdue=False), "lab")
    assert type(found) is error
    assert found.reason is reason
    assert "lab" in found.message


def test_a_missing_binary_is_an_error_with_its_name(tmp_path):
    command = HardenedCommand(str(tmp_path / "none"), tmp_path / "h", tmp_path / "k", FakeGuard(), "lab")
    with pytest.raises(Busy, match="ATOLL_HELM"):
        PyHelm(command, CHART).uninstall("n")


def test_the_home_is_private(helm, tmp_path):
    helm().install("n", {}, "d")
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0
