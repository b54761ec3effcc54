from __future__ import annotations

import pytest

from tenancy.models import AuditEvent, HostCluster, Node, NodeMove, WorkItem
from tests import factories
from tests.portal.api.client import assert_problem

SPEC = {"kubeconfig": "file:/etc/atoll/lab.kubeconfig", "clientCIDRs": ["10.0.0.0/8"]}


def test_an_admin_registers_a_host(admin):
    made = admin.put("/hosts/lab", {"spec": SPEC})

    assert (made.status_code, made["Location"]) == (201, "/api/v1/hosts/lab")
    body = made.json()
    assert body["spec"] == SPEC
    assert body["status"]["effective"] == {
        "kubeconfig": "file:/etc/atoll/lab.kubeconfig",
        "exposure": "clusterIP",
        "clientCIDRs": ["10.0.0.0/8"],
        "imagePrefix": "",
        "kubernetesVersions": ["1.36"],
        "controlPlaneSelector": {},
        "workloadSelector": {},
        "allowedRegistries": [],
        "requireDigests": False,
        "progressFile": "",
        "auditLog": "",
        "acceptsClusters": True,
    }
    assert (body["status"]["reachable"], body["status"]["reason"]) == ("Unknown", "NotYetReported")
    again = admin.put("/hosts/lab", body)
    assert (again.status_code, again["ETag"]) == (200, made["ETag"])
    assert admin.get("/hosts/lab").json() == body


def test_what_was_seen_is_told(admin, auditor):
    factories.host()

    for who in (admin, auditor):
        status = who.get("/hosts/lab").json()["status"]
        assert (status["reachable"], status["facts"]["version"]) == ("True", "v1.36.3")
    assert [h["metadata"]["name"] for h in admin.get("/hosts?reachable=True").json()["items"]] == ["lab"]
    assert admin.get("/hosts?reachable=False").json()["items"] == []


@pytest.mark.parametrize(
    "pasted",
    [
        "apiVersion: v1\nkind: Config\nusers: []",
        "/etc/kubeconfig",
        "file:relative",
        "env:",
        "https://host:6443",
    ],
)
def test_a_pasted_kubeconfig_is_refused_with_the_reason(admin, pasted):
    body = assert_problem(admin.put("/hosts/lab", {"spec": {"kubeconfig": pasted}}), 400, "invalid")

    assert [(e["path"], e["code"]) for e in body["errors"]] == [("spec.kubeconfig", "not-a-reference")]
    assert "never the credential" in body["detail"]
    assert not HostCluster.objects.exists()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"clientCIDRs": ["10.0.0.0/8", "everywhere"]}, "spec.clientCIDRs[1]"),
        ({"clientCIDRs": "10.0.0.0/8"}, "spec.clientCIDRs"),
        ({"kubernetesVersions": ["0.1"]}, "spec.kubernetesVersions[0]"),
        ({"exposure": "telepathy"}, "spec.exposure"),
        ({"workloadSelector": {"a": 1}}, "spec.workloadSelector.a"),
        ({"auditLog": "/var/log/audit.log"}, "spec.auditLog"),
        ({"acceptsClusters": 1}, "spec.acceptsClusters"),
        ({"requireDigests": "yes"}, "spec.requireDigests"),
        ({"allowedRegistries": ["ghcr.io", "https://ghcr.io"]}, "spec.allowedRegistries[1]"),
        ({"allowedRegistries": ["library/nginx"]}, "spec.allowedRegistries[0]"),
        ({"allowedRegistries": ["ghcr.io/"]}, "spec.allowedRegistries[0]"),
        ({"allowedRegistries": ["*"]}, "spec.allowedRegistries[0]"),
        ({"token": "x"}, "spec.token"),
    ],
)
def test_a_registration_that_cannot_be(admin, change, path):
    body = assert_problem(admin.put("/hosts/lab", {"spec": {**SPEC, **change}}), 400, "invalid")

    assert [e["path"] for e in body["errors"]] == [path]


def test_registries_and_digests_are_kept(admin):
    wish = {
        "allowedRegistries": ["ghcr.io", "docker.io/library", "mirror:5000/team", "localhost:5000"],
        "requireDigests": True,
    }
    made = admin.put("/hosts/lab", {"spec": {**SPEC, **wish}})
    assert made.status_code == 201, made.content
    assert wish.items() <= admin.get("/hosts/lab").json()["spec"].items()


def test_teams_see_no_hosts(api):
    assert api.get("/hosts").json() == {"items": [], "next": None}
    assert_problem(api.get("/hosts/lab"), 404, "not-found")
    assert_problem(api.put("/hosts/new", {"spec": SPEC}), 403, "not-allowed")


def test_a_host_is_forgotten_once_it_carries_nothing(admin, alice, team):
    """Each refusal says what is in the way, and what to do about it."""
    cluster = factories.cluster(alice, "team")
    factories.pool("gold", "team")
    host = HostCluster.objects.get()
    factories.node("blue")
    move = NodeMove.objects.create(node=Node.objects.get(name="blue"), cause="a test")

    for hint, removed in (
        ("delete them and wait", cluster),
        ("(gold): delete them first", host.pools.get()),
        ("wait until their moves have ended", move),
    ):
        assert hint in assert_problem(admin.delete("/hosts/lab"), 409, "in-use")["detail"]
        removed.delete()

    gone = admin.delete("/hosts/lab")
    assert (gone.status_code, gone.json()["metadata"]["uid"]) == (200, str(host.uid))
    assert_problem(admin.get("/hosts/lab"), 404, "not-found")
    assert not WorkItem.objects.filter(object_id=host.uid).exists()
    assert AuditEvent.objects.filter(action="host.delete", target="host/lab").exists()
