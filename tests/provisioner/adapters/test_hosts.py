"""What is kept of a host: connections, and a kubeconfig for Helm that only we may read."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from provisioner.adapters.hosts import RealHosts
from provisioner.ports import HostMisconfigured
from tests.fakes.world import FakeGuard
from tests.provisioner.adapters.test_kubeconfig import config
from tests.provisioner.harness import CHART, HOST


@pytest.fixture
def hosts(tmp_path):
    return RealHosts(helm="helm", home=tmp_path / "home", chart=CHART)


@pytest.fixture
def access(tmp_path):
    (tmp_path / "k").write_text(config())
    return replace(HOST, kubeconfig=f"file:{tmp_path}/k")


def files(tmp_path):
    return sorted((tmp_path / "home" / "helm").glob("host-*.yaml"))


def test_helms_kubeconfig_is_private(hosts, access, tmp_path):
    hosts.open(access, FakeGuard())
    (path,) = files(tmp_path)
    assert path.stat().st_mode & 0o077 == 0
    assert "t0k" in path.read_text()


def test_it_is_written_once(hosts, access, tmp_path):
    hosts.open(access, FakeGuard())
    before = files(tmp_path)[0].stat().st_mtime_ns
    hosts.open(access, FakeGuard())
    assert [p.stat().st_mtime_ns for p in files(tmp_path)] == [before]


def test_a_renewed_credential_takes_its_place(hosts, access, tmp_path):
    hosts.open(access, FakeGuard())
    (old,) = files(tmp_path)
    os.utime(old, (time.time() - 3600, time.time() - 3600))
    (tmp_path / "k").write_text(config({"token": "renewed"}))
    hosts.open(access, FakeGuard())
    (new,) = files(tmp_path)
    assert "renewed" in new.read_text()


def test_a_missing_kubeconfig_says_what_to_do(hosts, access):
    with pytest.raises(HostMisconfigured, match="start the host, or register it"):
        hosts.open(replace(access, kubeconfig="file:/nowhere"), FakeGuard())
