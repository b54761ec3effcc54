"""A team's cluster from PUT to proof of absence, on the real lab."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import pytest

from tests.e2e.reports import failed, verify
from tests.e2e.stack import Team, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
POD = ("--image=docker.io/library/busybox:1.36.1", "--restart=Never", "--command", "--")


def running(stack, kubeconfig, pod):
    text = stack.run_kubectl(kubeconfig, "get", "pod", pod, "-o", "jsonpath={.status.phase}")
    return text == "Running"


def test_the_first_cluster_is_ready_and_its_conditions_say_so(demo):
    demo.wait_ready("first")
    body = demo.get("first").json()
    assert body["status"]["phase"] == "Ready"
    assert body["status"]["observedGeneration"] == body["metadata"]["generation"]
    conditions = {c["type"]: c["status"] for c in body["status"]["conditions"]}
    assert conditions["SandboxEnforced"] == conditions["DnsAvailable"] == conditions["Available"] == "True"


def test_a_cluster_lives_and_leaves_nothing(stack, demo, tmp_path):
    created = demo.put("life", {"resources": {"cpu": "3"}})
    assert created.status_code == 201, created.text
    demo.wait_ready("life")
    (namespace,) = stack.namespaces("demo", "life")
    assert stack.releases(namespace) == ["cluster"]
    volumes = [
        v["metadata"]["name"]
        for v in stack.host("get", "pv")["items"]
        if v["spec"].get("claimRef", {}).get("namespace") == namespace
    ]
    assert len(volumes) == 1

    again = demo.put("life", {"resources": {"cpu": "3"}})
    assert again.status_code == 200
    assert again.headers["ETag"] == created.headers["ETag"]
    assert again.json()["metadata"]["generation"] == 1
    operations = demo.api.get("/operations?tenant=demo&cluster=life").json()["items"]
    assert [(o["kind"], o["state"]) for o in operations] == [("create", "succeeded")]

    kubeconfig = demo.kubeconfig("life", tmp_path)
    use_it(stack, kubeconfig)
    prove_it(stack, demo, tmp_path)

    assert demo.put("life", {"resources": {"cpu": "3", "pods": 40}}).status_code == 200
    demo.wait_ready("life")
    # What Atoll itself changed is nobody's tampering.
    assert demo.api.get(demo.path("life", "/findings")).json()["items"] == []

    assert demo.delete("life").status_code == 202
    assert demo.put("life").status_code == 409
    demo.wait_gone("life")
    assert demo.delete("life").status_code == 404
    assert stack.namespaces("demo", "life") == []
    left = [v["metadata"]["name"] for v in stack.host("get", "pv")["items"]]
    assert volumes[0] not in left
    assert processes_naming(namespace) == []


def use_it(stack, kubeconfig):
    """What a member does first: run, look inside, read logs, resolve names."""
    run = lambda *words: stack.run_kubectl(kubeconfig, *words)  # noqa: E731
    run("run", "probe", *POD, "sh", "-c", "echo hello; sleep 3600")
    wait_for("the pod runs", lambda: running(stack, kubeconfig, "probe"), 60)
    assert run("exec", "probe", "--", "uname", "-r").strip().endswith("gvisor")
    wait_for("its log is there", lambda: "hello" in run("logs", "probe"), 20)
    answer = run("exec", "probe", "--", "nslookup", "kubernetes.default.svc.cluster.local")
    assert "Address" in answer.split("Name:", 1)[1]


def prove_it(stack, demo, folder):
    """A true report passes, in less than a minute, and verifies offline."""
    began = time.monotonic()
    report = demo.report("life")
    assert failed(report) == {}
    assert time.monotonic() - began < 60
    assert any(c["id"] == "closed-neighbour-api" for c in report["claims"])
    done = verify(stack, demo, report, folder)
    assert done.returncode == 0, done.stdout + done.stderr


def processes_naming(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if text in words and "pytest" not in words:
                found.append(words)
    return found


def test_two_tenants_never_see_each_other(stack, demo, tmp_path):
    with stack.client("admin.token") as admin:
        other = f"other-{uuid.uuid4().hex[:6]}"
        assert admin.put(f"/tenants/{other}", json={"spec": {}}).status_code == 201
        assert admin.get(f"/tenants/{other}").status_code == 200
    foreign = Team(demo.api, other)
    unknown = Team(demo.api, "nowhere")
    for answer, same in [
        (foreign.get("first"), unknown.get("first")),
        (foreign.put("first"), unknown.put("first")),
        (foreign.delete("first"), unknown.delete("first")),
    ]:
        assert answer.status_code == same.status_code == 404
        one, two = (
            {k: v for k, v in a.json().items() if k not in {"instance", "requestId"}} for a in (answer, same)
        )
        assert json.dumps(one).replace(other, "nowhere") == json.dumps(two)


def test_a_second_up_says_that_it_runs(stack):
    done = stack.command("up", "--port", str(stack.port))
    assert stack.url in done.stdout + done.stderr
    assert stack.process.poll() is None


def test_status_tells_what_runs(stack):
    services = json.loads(stack.command("status", "--json").stdout)["services"]
    assert {"portal", "relay", "worker", "redis"} <= set(services)


def test_bad_input_names_the_field(demo):
    started = time.monotonic()
    for name, spec, path in [
        ("Bad_Name", {}, "metadata.name"),
        ("x" * 25, {}, "metadata.name"),
        ("ok", {"resources": {"cpu": "much"}}, "spec.resources.cpu"),
        ("ok", {"kubernetesVersion": "0.1"}, "spec.kubernetesVersion"),
        ("ok", {"surprise": 1}, "spec.surprise"),
        ("ok", {"isolation": {"sandbox": "kata"}}, "spec.isolation.sandbox"),
    ]:
        answer = demo.put(name, spec)
        assert answer.status_code in {400, 422}, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert [e["path"] for e in answer.json()["errors"]] == [path]
    assert demo.get("ok").status_code == 404
    assert time.monotonic() - started < 30
