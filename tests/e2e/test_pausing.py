"""A cluster that sleeps on a real host: nothing of it runs, and what it had is there when it wakes."""

from __future__ import annotations

import subprocess

import pytest

from tests.e2e.stack import wait_for
from tests.e2e.test_faults import kill_worker

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(1200)]
KILLS = 2
"""Rounds of a pause and a resume; in the first one Helm is at work at that moment, where it is."""

WORK = """
apiVersion: v1
kind: ConfigMap
metadata: {name: kept, namespace: default}
data: {word: remembered}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kept, namespace: default}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 10Mi}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker, namespace: default}
spec:
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: worker
          image: docker.io/library/busybox:1.36.1
          command: [sh, -c, "date +%s%N >> /data/starts; sleep 3600"]
          volumeMounts: [{name: data, mountPath: /data}]
      volumes:
        - name: data
          persistentVolumeClaim: {claimName: kept}
"""


@pytest.fixture
def cluster(demo):
    name = "dozer"
    assert demo.put(name).status_code in {200, 201}
    demo.wait_ready(name)
    yield name
    demo.delete(name)
    demo.wait_gone(name)


def starts(stack, kubeconfig):
    """How often the worker has begun, as it wrote down on its volume; 0 while it does not run."""
    words = [str(stack.kubectl), "--kubeconfig", str(kubeconfig)]
    words += ["exec", "deployment/worker", "--", "wc", "-l", "/data/starts"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return int(done.stdout.split()[0]) if done.returncode == 0 else 0


def test_it_sleeps_answers_so_and_wakes_with_what_it_had(stack, demo, cluster, tmp_path):
    kubeconfig, (namespace,) = demo.kubeconfig(cluster, tmp_path), stack.namespaces("demo", cluster)
    manifest = tmp_path / "work.yaml"
    manifest.write_text(WORK)
    stack.run_kubectl(kubeconfig, "apply", "-f", str(manifest))
    wait_for("it runs", lambda: starts(stack, kubeconfig) == 1, 90)
    of_claims = lambda: {  # noqa: E731
        c["metadata"]["name"]: c["metadata"]["uid"]
        for c in stack.host("get", "pvc", "-n", namespace)["items"]
    }
    claims = of_claims()
    assert len(claims) == 2

    asked = demo.put(cluster, {"paused": True})
    assert asked.status_code == 200, asked.text
    wait_for(lambda: demo.get(cluster).text, lambda: demo.phase(cluster) == "Paused", 120)
    assert stack.host("get", "pods", "-n", namespace)["items"] == []
    plane = stack.host("get", "statefulset", "cluster", "-n", namespace)
    assert (plane["spec"]["replicas"], plane["status"].get("replicas", 0)) == (0, 0)
    assert of_claims() == claims
    said_no(stack, demo, cluster, asked.json()["status"]["operation"])

    # A look by the schedule, and what somebody does on the host by hand, leave it asleep.
    admin = stack.home / "lab" / "kubeconfig"
    stack.run_kubectl(admin, "scale", "statefulset", "cluster", "-n", namespace, "--replicas=1")
    assert demo.api.post(demo.path(cluster, "/retry")).status_code == 202
    wait_for(
        "it is stopped again",
        lambda: stack.host("get", "statefulset", "cluster", "-n", namespace)["spec"]["replicas"] == 0,
        60,
    )
    wait_for(lambda: demo.get(cluster).text, lambda: demo.phase(cluster) == "Paused", 90)

    assert demo.api.post(demo.path(cluster, "/resume")).status_code == 202
    demo.wait_ready(cluster)
    assert demo.get(cluster).json()["spec"] == {}
    word = stack.run_kubectl(kubeconfig, "get", "configmap", "kept", "-o", "jsonpath={.data.word}")
    assert word == "remembered"
    assert of_claims() == claims
    wait_for("it runs once more on its volume", lambda: starts(stack, kubeconfig) == 2, 120)


def test_workers_that_die_meanwhile_change_nothing_of_the_end(stack, demo, cluster):
    """kill -9 of the worker and its pool, somewhere in a pause and somewhere in a resume: each ends by itself."""
    (namespace,) = stack.namespaces("demo", cluster)
    for round_ in range(KILLS):
        for wish, end in (({"paused": True}, "Paused"), ({}, "Ready")):
            main = stack.workers()[0]
            assert demo.put(cluster, wish).status_code == 200
            kill_worker(main, with_helm=round_ == 0)
            wait_for("the worker is back", lambda: len(stack.workers()) > 1, 60)
            wait_for(lambda: demo.get(cluster).text, lambda end=end: demo.phase(cluster) == end, 300)
        assert stack.releases(namespace) == ["cluster"]
    demo.wait_ready(cluster)


def said_no(stack, demo, cluster, operation):
    assert demo.api.get(operation.removeprefix("/api/v1")).json()["state"] == "succeeded"
    ready = demo.api.get(demo.path(cluster, "/ready?wait=5s"))
    assert (ready.status_code, ready.json()["code"]) == (409, "will-not-be-ready")
    assert "spec.paused" in ready.json()["detail"]
    for path in ("/kubeconfig", "/reports"):
        answer = demo.api.post(demo.path(cluster, path), json={})
        assert (answer.status_code, answer.json()["code"]) == (409, "paused")
    conditions = {c["type"]: c for c in demo.get(cluster).json()["status"]["conditions"]}
    assert conditions["Paused"]["status"] == "True"
    assert (conditions["Available"]["status"], conditions["Available"]["reason"]) == ("False", "Paused")
