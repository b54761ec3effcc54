from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest
import yaml

from provisioner.adapters import hosts, kubeconfig
from provisioner.ports import HostMisconfigured
from tests.provisioner.harness import HOST


def encoded(text):
    return b64encode(text.encode()).decode()


def config(user=None, **cluster):
    return yaml.safe_dump(
        {
            "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1:6443/", **cluster}}],
            "users": [{"name": "u", "user": user if user is not None else {"token": "t0k"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


def test_a_token(tmp_path):
    path = tmp_path / "k"
    path.write_text(config(**{"certificate-authority-data": encoded("CA")}))
    found = kubeconfig.read(f"file:{path}")
    assert found == kubeconfig.Credentials("https://192.0.2.1:6443", b"CA", token="t0k")
    assert found.bearer() == "t0k"


def test_files_are_found_beside_it(tmp_path):
    (tmp_path / "ca.crt").write_text("CA")
    (tmp_path / "me.crt").write_text("CERT")
    (tmp_path / "me.key").write_text("KEY")
    (tmp_path / "token").write_text("one\n")
    user = {"client-certificate": "me.crt", "client-key": "me.key", "tokenFile": "token"}
    path = tmp_path / "k"
    path.write_text(config(user, **{"certificate-authority": "ca.crt", "tls-server-name": "kubernetes"}))
    found = kubeconfig.read(f"file:{path}")
    assert (found.authority, found.certificate, found.key) == (b"CA", b"CERT", b"KEY")
    assert found.server_name == "kubernetes"
    assert found.bearer() == "one"
    (tmp_path / "token").write_text("two")
    assert found.bearer() == "two"


def test_a_file_that_is_not_there_yet(tmp_path):
    assert kubeconfig.read(f"file:{tmp_path}/none") is None


def test_from_the_environment():
    assert kubeconfig.read("env:KC", {"KC": config()}).token == "t0k"
    with pytest.raises(HostMisconfigured, match="KC is empty"):
        kubeconfig.read("env:KC", {})


def test_in_cluster_outside_of_one():
    with pytest.raises(HostMisconfigured, match="only in a pod"):
        kubeconfig.read("in-cluster", {})


@pytest.mark.parametrize("field", ["exec", "auth-provider"])
def test_one_that_runs_a_program_is_refused(field):
    with pytest.raises(HostMisconfigured, match=field):
        kubeconfig.read("env:KC", {"KC": config({field: {"command": "touch"}})})


def test_one_without_verification_is_refused():
    with pytest.raises(HostMisconfigured, match="certificate"):
        kubeconfig.read("env:KC", {"KC": config(**{"insecure-skip-tls-verify": True})})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just words",
        "[1, 2]",
        "a: [",
        "current-context: x",
        config().replace("current-context: x", "current-context: y"),
    ],
)
def test_nonsense_is_named(text):
    with pytest.raises(HostMisconfigured, match=r"\$KC is not a usable kubeconfig|KC is empty"):
        kubeconfig.read("env:KC", {"KC": text})


def test_helms_own_file_says_the_same(tmp_path):
    given = kubeconfig.Credentials("https://h:1", b"CA", "t", "", b"CERT", b"KEY", "name")
    assert kubeconfig.parse(kubeconfig.document(given), "x", tmp_path) == given


class TestProgress:
    def told(self, tmp_path, text):
        path = tmp_path / "progress.json"
        path.write_text(text)
        return hosts.progress(replace(HOST, progress_file=str(path)))

    def test_building(self, tmp_path):
        told = self.told(tmp_path, '{"state": "building", "step": "kubelet", "done": 2, "total": 14}')
        assert told == "host lab is being built: step 3 of 14 (kubelet)"

    def test_the_last_step(self, tmp_path):
        told = self.told(tmp_path, '{"state": "starting", "step": "nodes", "done": 9, "total": 9}')
        assert told == "host lab is being built: step 9 of 9 (nodes)"

    def test_failed(self, tmp_path):
        told = self.told(tmp_path, '{"state": "failed", "step": "no memory", "done": 2, "total": 14}')
        assert "could not be built: no memory" in told

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", '{"state": "ready", "step": "", "done": 1, "total": 1}', '{"state": 1}']
    )
    def test_anything_else_is_not_building(self, tmp_path, text):
        assert self.told(tmp_path, text) == ""

    def test_no_file(self):
        assert hosts.progress(replace(HOST, progress_file="/nowhere")) == ""
        assert hosts.progress(replace(HOST, progress_file="")) == ""
