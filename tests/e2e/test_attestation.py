"""A true report, one that a broken control fails, and a cluster taken out of use: on the real lab."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.e2e.stack import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
BINDING = "validatingadmissionpolicybinding"


@pytest.fixture(scope="module")
def cluster(stack):
    """A cluster of this module's own, Ready; its name."""
    from tests.e2e.stack import Team

    with stack.client() as api:
        team = Team(api, "demo")
        assert team.put("attested").status_code == 201
        team.wait_ready("attested")
        yield "attested"
        with stack.client("admin.token") as admin:
            admin.delete(team.path("attested"))
        team.wait_gone("attested")


def admin(stack):
    return stack.home / "lab" / "kubeconfig"


def failed(report):
    return {c["id"]: c["evidence"] for c in report["claims"] if c["result"] != "passed"}


def verify(stack, demo, report, folder):
    file, keys = folder / "report.jws", folder / "keys.json"
    download = report["download"].removeprefix("/api/v1")
    file.write_text(demo.api.get(download).text)
    keys.write_text(demo.api.get("/attestation/keys").text)
    return stack.command("attest", "verify", str(file), "--keys", str(keys))


def test_a_true_report_passes_and_verifies_offline(stack, demo, cluster, tmp_path):
    began = time.monotonic()
    report = demo.report(cluster)
    assert failed(report) == {}
    assert time.monotonic() - began < 60
    assert any(c["id"] == "closed-neighbour-api" for c in report["claims"])
    done = verify(stack, demo, report, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert demo.phase(cluster) == "Ready"


def test_a_control_that_is_broken_on_the_host_fails_the_report_by_name(stack, demo, cluster, tmp_path):
    where = admin(stack)
    kept = tmp_path / "binding.yaml"
    kept.write_text(stack.run_kubectl(where, "get", BINDING, "atoll-placement", "-o", "yaml"))

    def away():
        """Atoll puts it back within a minute or two: it is taken away until the report is made."""
        stack.run_kubectl(where, "delete", BINDING, "atoll-placement", "--ignore-not-found")

    try:
        report = demo.report(cluster, meanwhile=away)
        phase = demo.phase(cluster)
    finally:
        subprocess.run(
            [
                str(stack.kubectl),
                "--kubeconfig",
                str(where),
                "apply",
                "--server-side",
                "--force-conflicts",
                "-f",
                "-",
            ],
            input=_without_identity(kept.read_text()),
            text=True,
            check=True,
            timeout=60,
        )
    assert failed(report).keys() == {"host-policies"}
    assert "atoll-placement" in failed(report)["host-policies"]
    assert phase == "Degraded"
    done = verify(stack, demo, report, tmp_path)
    assert done.returncode == 1
    assert "atoll-placement" in done.stdout + done.stderr
    assert failed(demo.report(cluster)) == {}
    wait_for("it is Ready again", lambda: demo.phase(cluster) == "Ready", 60)


def _without_identity(text):
    lines = text.splitlines()
    return "\n".join(
        line
        for line in lines
        if not line.startswith(("  uid:", "  resourceVersion:", "  creationTimestamp:", "  generation:"))
    )


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
