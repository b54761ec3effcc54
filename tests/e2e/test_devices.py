"""Devices from two clusters' wish to a receipt: granted, enforced by the host, resized, and really taken back."""

from __future__ import annotations

import base64
import json

import pytest

from tests.e2e.platform import Platform
from tests.e2e.stack import wait_for

# Long: it takes two minutes, and all of it but the real pods is in tests/provisioner and tests/isolation.
pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(600)]

NODE, POOL, CLASS = "worker-2", "devices", "shared-gpu"
RESOURCE = "nvidia.com/gpu.shared"
"""Not the plain name: the lab itself sees to that one."""
KEY = f"requests.{RESOURCE}"
MODEL = "tenancy.atoll.internal/accelerator-model"
LABELS = {
    MODEL: "LAB",
    "tenancy.atoll.internal/nvidia-container-toolkit": "none",
    "tenancy.atoll.internal/nvidia-driver": "580.126.20",
}
IMAGE = "docker.io/library/busybox:1.36.1"


class Site:
    """The admin's and the team's view, and the host's."""

    def __init__(self, stack, platform, demo, folder):
        self.stack, self.platform, self.demo, self.folder = stack, platform, demo, folder
        self.kubeconfigs = {}

    def pretend(self, count):
        """A node has so many devices; ``None`` takes all of it back."""
        amounts = {part: {RESOURCE: count and str(count)} for part in ("capacity", "allocatable")}
        labels = {key: value if count else None for key, value in LABELS.items()}
        admin = self.stack.home / "lab" / "kubeconfig"
        for change, words in (
            ({"metadata": {"labels": labels}}, ()),
            ({"status": amounts}, ("--subresource=status",)),
        ):
            patch = ("--type=merge", "--patch", json.dumps(change))
            self.stack.run_kubectl(admin, "patch", "node", NODE, *words, *patch)

    def capacity(self):
        """What the pool has to give, as last seen."""
        found = self.platform.do("GET", "/hosts/lab/accelerators")["stock"]
        return sum(one["capacity"] for one in found if one["class"] == CLASS)

    def put(self, name, count, **more):
        spec = {
            "isolation": {"model": "dedicated-pool", "pool": POOL},
            "accelerators": [{"class": CLASS, "count": count}],
            **more,
        }
        answer = self.demo.put(name, spec)
        assert answer.status_code in {200, 201}, answer.text

    def asked(self):
        """The address of the one request that waits."""
        (request,) = self.demo.api.get("/tenants/demo/gpu-requests?state=requested").json()["items"]
        return f"/gpu-requests/{request['metadata']['uid']}"

    def train(self, name, pod, **marks):
        """A pod with one device, made in the tenant's cluster."""
        if name not in self.kubeconfigs:
            self.kubeconfigs[name] = self.demo.kubeconfig(name, self.folder)
        amounts = {RESOURCE: "1", "cpu": "50m", "memory": "64Mi"}
        container = {
            "name": "c",
            "image": IMAGE,
            "command": ["sleep", "3600"],
            "resources": {"limits": amounts},
        }
        worn = {f"tenancy.atoll.internal/{key}": value for key, value in marks.items()}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod, "annotations": worn},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
        }
        path = self.folder / f"{pod}.json"
        path.write_text(json.dumps(body))
        self.inside(name, "apply", "-f", str(path))

    def inside(self, name, *words):
        return self.stack.run_kubectl(self.kubeconfigs[name], *words)

    def on_node(self):
        """What the node has: pod → devices."""
        found = self.stack.host("get", "pods", "-A", f"--field-selector=spec.nodeName={NODE}")["items"]
        amounts = {
            pod["metadata"]["name"]: sum(
                int(c["resources"].get("limits", {}).get(RESOURCE, 0)) for c in pod["spec"]["containers"]
            )
            for pod in found
            if pod["status"]["phase"] == "Running"
        }
        return {name: n for name, n in amounts.items() if n}

    def quota(self, name):
        (namespace,) = self.stack.namespaces("demo", name)
        return self.stack.host("get", "resourcequota", "atoll-quota", "-n", namespace)["status"]

    def condition(self, name, kind):
        found = self.demo.get(name).json()["status"]["conditions"]
        return next(c for c in found if c["type"] == kind)


@pytest.fixture
def site(stack, demo, tmp_path):
    with stack.client("admin.token") as client:
        made = Site(stack, Platform(stack, client), demo, tmp_path)
        made.pretend(4)
        spec = {"kind": "dedicated", "tenant": "demo", "sandboxes": ["gvisor"]}
        made.platform.do("PUT", f"/hosts/lab/pools/{POOL}", {"spec": spec})
        shared = {"resource": RESOURCE, "labels": {MODEL: "LAB"}, "graceSeconds": 5, "defaultDays": 1}
        made.platform.do("PUT", f"/accelerator-classes/{CLASS}", {"spec": shared})
        made.platform.move(NODE, POOL, discard=True)
        yield made
        for name in ("one", "two"):
            demo.delete(name)
        for name in ("one", "two"):
            demo.wait_gone(name)
        for grant in demo.api.get("/tenants/demo/gpu-grants?closed=false").json()["items"]:
            demo.api.post(
                f"/gpu-grants/{grant['metadata']['uid']}/return", json={"reason": "the test is over"}
            )
        made.platform.settled(NODE)
        made.platform.move(NODE, None, discard=True)
        made.pretend(None)
        (stack.home / "ahead").unlink(missing_ok=True)


def test_what_is_granted_is_enforced_resized_and_comes_back(stack, site):
    site.platform.settled(NODE)
    wait_for("the pool has them", lambda: site.capacity() == 4, 60)
    site.put("one", 2)
    site.put("two", 2)
    assert site.demo.phase("one") == "AwaitingApproval"
    (request,) = site.demo.api.get("/tenants/demo/gpu-requests?state=requested").json()["items"]
    assert (request["spec"]["class"], request["spec"]["amount"]) == (CLASS, 4)
    path = f"/gpu-requests/{request['metadata']['uid']}/approve"
    site.platform.do("POST", path, {"reason": "rehearsal"})
    for name in ("one", "two"):
        site.demo.wait_ready(name)

    refused_beyond(site)
    resized(site)
    taken_back(stack, site)


def refused_beyond(site):
    """Two each; the third is refused by the host's quota, other names are at zero."""
    for name in ("one", "two"):
        hard = site.quota(name)["hard"]
        closed = {
            key: n for key, n in hard.items() if key.startswith("requests.") and "/" in key and key != KEY
        }
        assert hard[KEY] == "2"
        assert set(closed.values()) == {"0"}
        assert {"requests.nvidia.com/gpu", "requests.amd.com/gpu"} <= set(closed)
    site.train("one", "old")
    site.train("one", "mid")
    site.train("two", "dear", checkpoint="required")
    wait_for("three run", lambda: sum(site.on_node().values()) == 3, 60)
    site.train("one", "third")
    events = lambda: site.inside("one", "get", "events")  # noqa: E731
    wait_for(
        "the host refuses the third",
        lambda: f"exceeded quota: atoll-quota, requested: {KEY}=1" in events(),
        30,
    )
    assert len(site.on_node()) == 3
    pods = site.stack.host("get", "pods", "-A", f"--field-selector=spec.nodeName={NODE}")["items"]
    chosen = [p["spec"].get("nodeSelector", {}) for p in pods if p["metadata"]["name"] in site.on_node()]
    assert [c.get(MODEL) for c in chosen] == ["LAB"] * 3


def resized(site):
    """Down: the host first, nobody is ended; then up, by what came back."""
    site.put("two", 1)
    wait_for("the host went down", lambda: site.quota("two")["hard"][KEY] == "1", 30)
    site.put("one", 3)
    wait_for("the host went up", lambda: site.quota("one")["hard"][KEY] == "3", 30)
    wait_for("the third runs now", lambda: sum(site.on_node().values()) == 4, 60)
    assert site.condition("two", "DevicesSettled")["status"] == "True"


def taken_back(stack, site):
    """A day later nothing is on the node, and the receipt says what the host shows."""
    before = site.on_node()
    (stack.home / "ahead").write_text("86400")
    wait_for(
        "the marked pod is asked",
        lambda: "reclaim" in site.inside("two", "get", "pod", "dear", "-o", "yaml"),
        40,
    )
    (stack.home / "ahead").write_text("86410")
    wait_for("no pod holds a device", lambda: not site.on_node(), 40)
    grants = lambda: site.demo.api.get("/tenants/demo/gpu-grants").json()["items"]  # noqa: E731
    wait_for("the grant is closed", lambda: grants()[0]["status"]["receipt"], 60)
    address = grants()[0]["status"]["receipt"].removeprefix("/api/v1")
    payload = site.demo.api.get(address).text.split(".")[1]
    receipt = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (receipt["class"], receipt["amount"], receipt["cause"]) == (CLASS, 4, "expired")
    rungs = {step["cluster"]: step["rungs"] for step in receipt["evidence"]}
    held = [pod for one in rungs.values() for pod in one["shrink"]["pods"]]
    assert {pod["name"]: pod["devices"] for pod in held} == before
    assert {pod["node"] for pod in held} == {NODE}
    for name in ("one", "two"):
        seen, quota = rungs[name]["confirm"], site.quota(name)
        assert seen["pods"] == []
        assert (
            (seen["quota"]["hard"], seen["quota"]["used"])
            == (quota["hard"][KEY], quota["used"][KEY])
            == ("0", "0")
        )
    assert site.on_node() == {}


def test_sleeping_clusters_keep_their_devices_or_give_them_back(site):
    site.platform.settled(NODE)
    wait_for("the pool has them", lambda: site.capacity() == 4, 60)
    site.put("one", 2)
    site.platform.do("POST", f"{site.asked()}/approve", {"reason": "rehearsal"})
    site.demo.wait_ready("one")
    site.train("one", "busy")
    wait_for("it runs", lambda: sum(site.on_node().values()) == 1, 60)

    site.put("one", 2, paused=True)
    wait_for("it sleeps", lambda: site.demo.phase("one") == "Paused", 60)
    assert site.on_node() == {}
    assert site.quota("one")["hard"][KEY] == "2"
    site.put("two", 2)
    assert site.demo.phase("two") == "AwaitingApproval"
    team = lambda: site.platform.do("GET", f"{site.asked()}/what-if")["account"]  # noqa: E731
    wait_for("no pod was seen", lambda: team()["used"] == 0, 60)
    assert [team()[key] for key in ("granted", "held", "asleep")] == [2, 2, 2]

    site.put("one", 2, paused=True, releaseAcceleratorsWhilePaused=True)
    site.demo.wait_ready("two")
    assert (site.quota("one")["hard"][KEY], site.quota("two")["hard"][KEY]) == ("0", "2")
    assert site.demo.phase("one") == "Paused"

    site.put("one", 2, releaseAcceleratorsWhilePaused=True)
    assert site.demo.phase("one") == "AwaitingApproval"
    site.platform.do("POST", f"{site.asked()}/approve", {"reason": "for both"})
    site.demo.wait_ready("one")
    assert site.quota("one")["hard"][KEY] == "2"
