from __future__ import annotations

import base64

import pytest
import yaml

from command import host, host_choice, host_keeper
from command.home import LAB_HOST
from command.host_choice import HostChoice
from command.terminal import CommandError


@pytest.fixture
def admin(tmp_path):
    """A kubeconfig as many tools write it: two contexts, the authority in a file beside it."""
    (tmp_path / "ca.crt").write_bytes(b"authority")
    document = {
        "current-context": "one",
        "contexts": [
            {"name": "two", "context": {"cluster": "b", "user": "root"}},
            {"name": "one", "context": {"cluster": "a", "user": "root"}},
        ],
        "clusters": [
            {"name": "a", "cluster": {"server": "https://192.0.2.1", "certificate-authority": "ca.crt"}},
            {"name": "b", "cluster": {"server": "https://192.0.2.2"}},
        ],
        "users": [{"name": "root", "user": {"token": "powerful"}}],
    }
    path = tmp_path / "admin.kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_provisioners_kubeconfig_has_its_own_token_only(admin):
    made = host.kubeconfig(admin, "narrow")
    authority = base64.b64encode(b"authority").decode()
    assert made["clusters"][0]["cluster"] == {
        "server": "https://192.0.2.1",
        "certificate-authority-data": authority,
    }
    assert made["users"] == [{"name": "provisioner", "user": {"token": "narrow"}}]
    assert "powerful" not in yaml.safe_dump(made)


def test_a_kubeconfig_without_a_context_is_refused_with_the_fix(admin):
    admin.write_text(yaml.safe_dump({**yaml.safe_load(admin.read_text()), "current-context": "three"}))
    with pytest.raises(
        CommandError, match=r"has no context 'three': set one with kubectl config use-context"
    ):
        host.kubeconfig(admin, "narrow")


def test_the_lab_is_the_host_unless_one_is_named(monkeypatch, admin):
    monkeypatch.delenv("ATOLL_KUBECONFIG", raising=False)
    assert host_choice.choose("nodePort") == HostChoice("lab", None, "clusterIP")
    monkeypatch.setenv("ATOLL_KUBECONFIG", str(admin))
    assert host_choice.choose("nodePort") == HostChoice("own", admin, "nodePort")


def test_a_kubeconfig_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("ATOLL_KUBECONFIG", "/nowhere/kubeconfig")
    with pytest.raises(
        CommandError, match="ATOLL_KUBECONFIG: there is no file /nowhere/kubeconfig"
    ) as refused:
        host_choice.choose("nodePort")
    assert refused.value.status == 2


def test_a_cluster_of_ones_own_admits_clients_from_everywhere(home, admin):
    arguments = host_keeper.registration(home, HostChoice("own", admin, "loadBalancer"))
    assert arguments == [
        "own",
        *("--kubeconfig", f"file:{home.root}/hosts/own.kubeconfig"),
        *("--exposure", "loadBalancer"),
        *("--client-cidr", "0.0.0.0/0"),
        *("--client-cidr", "::/0"),
    ]


def test_the_lab_is_registered_before_it_was_ever_built(home):
    arguments = host_keeper.registration(home, HostChoice(LAB_HOST, None, "clusterIP"))
    assert "--client-cidr" not in arguments
    assert arguments[-6:] == [
        *("--progress-file", f"{home.lab}/progress.json"),
        *("--control-plane-selector", "tenancy.atoll.internal/role=control-plane"),
        *("--workload-selector", "tenancy.atoll.internal/role=worker"),
    ]


def test_a_link_is_replaced_in_one_step(tmp_path):
    for target in ("old", "new"):
        (tmp_path / target).write_text(target)
        host_keeper.link(tmp_path / "helm", tmp_path / target)
    assert (tmp_path / "helm").read_text() == "new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["helm", "new", "old"]
