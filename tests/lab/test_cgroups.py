from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lab import cgroups
from lab.errors import LabError

VERSION_1 = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
VERSION_2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def test_version_1_is_all_its_hierarchies_without_the_unified_one():
    found = cgroups.hierarchies(VERSION_1)
    assert found == [Path("/sys/fs/cgroup/cpu,cpuacct"), Path("/sys/fs/cgroup/systemd")]


def test_version_2_is_one():
    assert cgroups.hierarchies(VERSION_2) == [Path("/sys/fs/cgroup")]


def test_no_hierarchy_is_said():
    with pytest.raises(LabError, match="no cgroup hierarchy"):
        cgroups.hierarchies("22 27 0:21 / /proc rw - proc proc rw\n")


@pytest.fixture
def version_2(tmp_path, monkeypatch):
    """Plain files in the shape of a version 2 hierarchy."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids rdma\n")
    (tmp_path / "cgroup.subtree_control").write_text("cpu")
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    return tmp_path


def test_version_2_hands_wanted_controllers_down(version_2, monkeypatch):
    written = []
    monkeypatch.setattr(Path, "write_text", lambda self, text: written.append((self.name, text)))
    cgroups.create("lab/system")
    assert sorted(written) == [("cgroup.subtree_control", "+memory"), ("cgroup.subtree_control", "+pids")]
    assert (version_2 / "lab" / "system").is_dir()


def test_what_cannot_be_handed_down_is_said_with_a_way_out(version_2, monkeypatch):
    def refuse(_self, _text):
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(LabError, match=r"controller cannot be handed down .*busy.*; in a container"):
        cgroups.create("lab")


@pytest.mark.lab
def test_processes_below_are_found_ended_and_their_cgroups_removed():
    path = f"atoll-test-{os.getpid()}"
    cgroups.create(f"{path}/deep/down")
    places = cgroups.current()
    try:
        cgroups.enter(f"{path}/deep/down")
        with subprocess.Popen(["sleep", "100"]) as child:
            assert cgroups.processes(path) == {os.getpid(), child.pid}
            cgroups.go_back(places)
            assert cgroups.current() == places
            cgroups.kill(path, spare=[os.getpid()])
            assert child.wait(5) == -9
    finally:
        cgroups.go_back(places)
        cgroups.remove(path)
    assert not any((top / path).exists() for top in cgroups.hierarchies())
    cgroups.remove(path)  # twice is fine
