"""What of helm/host the workers tell of, an admin's rights put back: this once, and again only if it did not help."""

from __future__ import annotations

import http.server
import json
import threading
from contextlib import contextmanager

import pytest

from command import exactly, keeping
from command.arguments import parse
from command.terminal import CommandError

FENCE = "ValidatingAdmissionPolicy atoll-provisioner-fence"


def finding(subject=FENCE, kind="guard-rail-changed", namespace="", name="mallory"):
    return {"subject": subject, "kind": kind, "namespace": namespace, "actor": {"name": name}}


class Portal(http.server.BaseHTTPRequestHandler):
    """Answers as Atoll does; what was asked is kept by the server."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Authorization"]))
        body = json.dumps({"items": self.server.items}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


@contextmanager
def served():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Portal)
    server.asked, server.items, server.status = [], [], 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def portal():
    with served() as server:
        yield server


@pytest.fixture
def atoll(portal, tmp_path):
    (tmp_path / "token").write_text("secret\n")
    return keeping.Atoll(f"http://127.0.0.1:{portal.server_port}", tmp_path / "token")


@pytest.fixture
def keeper(atoll, monkeypatch):
    made = keeping.Keeper(atoll, admin=None, name="lab", values=None, stop=threading.Event())
    made.restored = []
    monkeypatch.setattr(keeping, "restore", lambda _admin, what, _values: made.restored.append(what))
    return made


def test_only_what_is_open_of_the_host_itself_and_in_helm_host_is_asked_for(portal, atoll):
    portal.items = [
        finding(),
        finding("ClusterRole atoll-syncer", "guard-rail-removed", name=""),
        finding("ClusterRoleBinding everybody", "guard-rail-added"),
        finding("ResourceQuota atoll-quota", namespace="atoll-demo-first-0a0b0c0d"),
    ]
    assert atoll.amiss("lab") == {FENCE: "mallory", "ClusterRole atoll-syncer": "somebody unknown"}
    assert portal.asked == [("/api/v1/findings?host=lab&open=true&limit=100", "Bearer secret")]


@pytest.mark.parametrize("status", [401, 403, 500])
def test_an_atoll_that_does_not_tell_is_a_fault_with_the_fix(portal, atoll, status):
    portal.status = status
    with pytest.raises(CommandError, match=rf"status {status} .*must be an auditor's or an admin's"):
        atoll.amiss("lab")


def test_a_host_that_atoll_does_not_know_is_named(portal, atoll):
    portal.status = 404
    with pytest.raises(CommandError, match="has no hosts/prod"):
        atoll.check("prod")


def test_where_all_is_well_nothing_is_written(keeper):
    keeper.look()
    assert keeper.restored == []


def test_it_is_put_back_once_and_again_when_it_did_not_help(portal, keeper, monkeypatch, capsys):
    now = [1000.0]
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])
    portal.items = [finding()]
    keeper.look()
    now[0] += keeping.LOOK_SECONDS
    keeper.look()
    assert keeper.restored == [{FENCE}]
    assert f"put back as helm/host says: {FENCE} (changed by mallory)" in capsys.readouterr().out
    portal.items = [finding(), finding("ClusterRole atoll-syncer")]
    keeper.look()
    assert keeper.restored[-1] == {"ClusterRole atoll-syncer"}
    now[0] += keeping.PATIENCE_SECONDS
    keeper.look()
    assert keeper.restored[-1] == {FENCE, "ClusterRole atoll-syncer"}


def test_what_could_not_be_put_back_is_tried_at_the_next_look(portal, keeper, monkeypatch):
    def fails(*_):
        raise CommandError("no")

    portal.items = [finding()]
    with monkeypatch.context() as patched:
        patched.setattr(keeping, "restore", fails)
        with pytest.raises(CommandError):
            keeper.look()
    keeper.look()
    assert keeper.restored == [{FENCE}]


@pytest.mark.parametrize(
    ("body", "path", "subject"),
    [
        (
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "a", "namespace": "n"}},
            "/apis/rbac.authorization.k8s.io/v1/namespaces/n/roles/a",
            "Role n/a",
        ),
        (
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingAdmissionPolicy",
                "metadata": {"name": "atoll-inject"},
            },
            "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/atoll-inject",
            "MutatingAdmissionPolicy atoll-inject",
        ),
        (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "atoll-system"}},
            "/api/v1/namespaces/atoll-system",
            "Namespace atoll-system",
        ),
    ],
)  # fmt: skip
def test_an_object_is_found_where_the_api_has_it_and_named_as_findings_name_it(body, path, subject):
    assert (exactly.path(body), keeping.subject(body)) == (path, subject)


def test_the_kubeconfig_of_an_admin_has_to_be_given(capsys):
    with pytest.raises(SystemExit):
        parse(["host", "keep", "prod"])
    assert "--kubeconfig" in capsys.readouterr().err
