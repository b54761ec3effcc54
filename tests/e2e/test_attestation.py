"""A report that a broken control fails, and a cluster taken out of use; a true one is in test_lifecycle."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.e2e.reports import failed, verify
from tests.e2e.stack import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture
def cluster(demo):
    """Its name; Ready, and no report of it is being made."""
    demo.wait_ready("first")
    return "first"


def test_a_control_that_is_broken_on_the_host_fails_the_report_by_name(stack, demo, cluster, tmp_path):
    def away():
        """Atoll puts it back within a minute: it is taken away until the report is made."""
        words = ("delete", "validatingadmissionpolicybinding", "atoll-placement", "--ignore-not-found")
        words += ("--wait=false",)  # put back at once, it would be waited for without end
        stack.run_kubectl(stack.home / "lab" / "kubeconfig", *words)

    broken = {"host-policies", "policies-refuse"}
    for _ in range(
        4
    ):  # one of the schedule's may be under way, or Atoll quick to put it back between two looks
        report = demo.report(cluster, meanwhile=away)
        if failed(report).keys() >= broken:
            break
    assert failed(report).keys() == broken
    assert "atoll-placement" in failed(report)["host-policies"]
    assert "policy atoll-placement does not refuse" in failed(report)["policies-refuse"]
    assert demo.phase(cluster) == "Degraded"
    done = verify(stack, demo, report, tmp_path)
    assert done.returncode == 1
    assert "atoll-placement" in done.stdout + done.stderr
    wait_for("it was put right and shown anew", lambda: demo.phase(cluster) == "Ready", 300)


def test_quarantine_stops_everything_and_old_credentials_stay_dead(stack, demo, cluster, tmp_path):
    old = demo.kubeconfig(cluster, tmp_path)
    image = "--image=docker.io/library/busybox:1.36.1"
    stack.run_kubectl(old, "create", "deployment", "victim", image, "--", "sleep", "3600")
    (namespace,) = stack.namespaces("demo", cluster)
    pods = lambda: stack.host("get", "pods", "-n", namespace)["items"]  # noqa: E731
    wait_for(
        "it runs",
        lambda: any("victim" in p["metadata"]["name"] and p["status"]["phase"] == "Running" for p in pods()),
        60,
    )
    where = demo.path(cluster, "/quarantine")
    with stack.client("admin.token") as api:
        began = time.monotonic()
        assert api.post(where, json={"reason": "a test"}).status_code == 202
        wait_for(
            "nothing of it runs",
            lambda: demo.get(cluster).json()["status"]["quarantine"]["contained"],
            60,
            0.2,
        )
        assert time.monotonic() - began < 40
        # What has ended on its node may still be listed for a moment.
        assert [p for p in pods() if p["status"]["phase"] not in {"Succeeded", "Failed"}] == []
        assert demo.api.post(demo.path(cluster, "/kubeconfig"), json={}).json()["code"] == "quarantined"
        assert api.delete(where).status_code == 202
    demo.wait_ready(cluster)
    done = subprocess.run(
        [str(stack.kubectl), "--kubeconfig", str(old), "get", "namespaces"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "You must be logged in to the server" in done.stderr
    new = demo.kubeconfig(cluster, tmp_path)
    wait_for("what it stored runs again", lambda: "Running" in stack.run_kubectl(new, "get", "pods"), 90)
