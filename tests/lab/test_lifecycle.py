"""A lab's life and ends, and that the machine is afterwards as it was before."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import api, cgroups, instance, progress, reap, registry, start
from lab.errors import LabError
from lab.shell import run
from tests.lab.conftest import Cluster, pod, until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

# What Kubernetes and containerd are known to make where nobody asked.
PLACES = (
    "/etc/cni",
    "/opt",
    "/usr/libexec",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log",
    "/run/containerd",
)
# Counters and the like, which change by themselves.
RESTLESS = (
    "random",
    "dentry-state",
    "inode-",
    "file-nr",
    "ns_last_pid",
    "conntrack_count",
    "quota",
    "epoch",
    "aio-nr",
)


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home, with 100% odd & ünusual letters?"
    yield folder
    api.down(folder)


def test_a_lab_survives_kill_9_of_everything_and_leaves_nothing(home):
    before = machine(home)
    cluster = Cluster(api.up(home))
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    keeper = pod(
        "default",
        "keeper",
        *("sh", "-c", "date >>/data/starts; exec sleep 1000"),
        runtimeClassName="gvisor",
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        container={"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
    )
    cluster.apply(claim)
    cluster.run_pods("default", keeper)
    began = time.monotonic()
    assert api.up(home, report=print) == cluster.lab
    assert time.monotonic() - began < 2, "a second up has nothing to do"
    uid = cluster.get("pod", "keeper")["metadata"]["uid"]
    spaces = namespaces_of(home)

    for pid in cgroups.processes(lab_of(home).cgroup):
        with contextlib.suppress(ProcessLookupError):  # some go with others
            os.kill(pid, signal.SIGKILL)
    until(lambda: not api.is_running(home))
    assert api.state(home).state is progress.State.FAILED

    cluster = Cluster(api.up(home))
    assert cluster.get("pod", "keeper")["metadata"]["uid"] == uid
    until(lambda: len(starts(cluster)) == 2, 60)
    spaces |= namespaces_of(home)

    api.down(home)
    assert machine(home) == before
    assert not inhabitants(spaces, home)
    assert not cluster.lab.kubeconfig.exists(), "it would tell of an API server that is not there"
    assert api.state(home).state is progress.State.STOPPED
    api.down(home)  # twice is fine


@pytest.mark.long
def test_what_a_vanished_checkout_left_is_removed_dead_or_alive(home):
    before = machine(home)
    api.up(home)
    spaces = namespaces_of(home)
    home.rename(home.parent / "gone")  # no mount of the lab is in the way
    assert str(home) in [record.home for record in reap.leftovers()]
    assert not home.exists(), "nothing brings it back"
    assert machine(home) == before
    assert not inhabitants(spaces, home)

    api.up(home)
    spaces = namespaces_of(home)
    os.kill(record_of(home).pid, signal.SIGKILL)
    until(lambda: not api.is_running(home))
    assert inhabitants(spaces, home), "the others outlive their supervisor"
    home.rename(home.parent / "gone too")
    api.down(home.parent / "another")  # any command does it
    assert machine(home) == before
    assert not inhabitants(spaces, home)


@pytest.mark.long
def test_in_the_foreground_it_stops_everything_when_told(home):
    before = machine(home)
    command = [sys.executable, "-m", "lab", "--home", str(home), "up", "--foreground"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        kubeconfig = home / "lab" / "kubeconfig"
        states = set()

        def is_ready():
            states.add(api.state(home).state)
            return progress.State.READY in states

        until(is_ready, 120)
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
        with pytest.raises(LabError, match="runs with gpus=0, not 2"):
            api.up(home, gpus=2)
        child.send_signal(signal.SIGTERM)
        said, _ = child.communicate(timeout=60)
    assert child.returncode == 0, said
    assert "lab starting" in said
    assert "lab ready" in said
    assert machine(home) == before


@pytest.mark.long
def test_a_lab_in_the_background_can_be_taken_over_in_the_foreground(home):
    before = machine(home)
    api.up(home)
    command = [sys.executable, "-m", "lab", "--home", str(home), "up", "--foreground"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert "lab ready" in child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
    assert machine(home) == before


def test_a_stop_while_it_starts_leaves_nothing_either(home):
    before = machine(home)
    command = [sys.executable, "-m", "lab", "--home", str(home), "up", "--foreground"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        until((home / "lab" / "logs" / "kube-apiserver.log").exists, 60)
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 0
    assert machine(home) == before


def lab_of(home):
    return api.instance_of(home)[0]


def record_of(home):
    with registry.locked():
        return next(record for record in registry.records() if record.home == str(home))


def starts(cluster):
    told = cluster.attempt("exec", "keeper", "--", "cat", "/data/starts").stdout
    return told.splitlines()


def machine(home):
    """What of this machine a lab could have changed; other labs, which come and go, are left out."""
    own = instance.identify(home)
    with registry.locked():
        others = {record.id for record in registry.records()} - {own}

    def foreign(text):
        return any(other in text for other in others)

    sysctls = run(["sysctl", "-a"]).splitlines()
    routes = json.loads(run(["ip", "-json", "route", "show", "table", "all"]))
    folders = [str(folder) for top in cgroups.hierarchies() for folder in top.glob("atoll-lab-*")]
    return {
        "mounts": sorted(
            line for line in Path("/proc/self/mounts").read_text().splitlines() if str(home) in line
        ),
        "links": sorted(
            link["ifname"] for link in json.loads(run(["ip", "-json", "link"])) if own in link["ifname"]
        ),
        "routes": [route for route in routes if own in str(route) or route["dst"] == own_block(home)],
        "tables": [line for line in run(["nft", "list", "tables"]).splitlines() if own in line],
        "cgroups": [folder for folder in folders if own in folder],
        "sysctls": [
            line for line in sysctls if not foreign(line) and not any(word in line for word in RESTLESS)
        ],
        "files": sorted(
            str(file) for place in PLACES for file in Path(place).rglob("*") if not foreign(str(file))
        ),
        "run": [str(folder) for folder in instance.RUN.glob("*") if own in folder.name],
    }


def own_block(home):
    slot = start.remembered(home).get("slot")
    return None if slot is None else str(instance.Ranges(slot).block)


def namespaces_of(home):
    """The network and mount namespaces of a lab's processes, without this machine's own."""
    found = {space for pid in cgroups.processes(lab_of(home).cgroup) for space in spaces_of(pid)}
    return found - spaces_of(os.getpid())


def spaces_of(pid):
    try:
        return {str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in ("net", "mnt")}
    except OSError:
        return set()


def inhabitants(spaces, home):
    """Processes that live in any of these namespaces; the kernel gives freed numbers to another lab's."""
    own = {f"atoll-lab-{instance.identify(home)}"}
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [pid for pid in pids if spaces_of(pid) & spaces and not labs_of(pid) - own]


def labs_of(pid):
    """The labs in whose cgroups a process is; one that got out of its lab's is in none."""
    try:
        return set(re.findall(r"atoll-lab-[^/\s]+", Path(f"/proc/{pid}/cgroup").read_text()))
    except OSError:
        return set()
