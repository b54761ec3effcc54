"""The command as a person without root meets it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from command import bootstrap, debian, environment
from command.terminal import CommandError, say

AS_NOBODY = """
import os, sys
from command import bootstrap
os.setgroups([]); os.setgid(65534); os.setuid(65534)
raise SystemExit(bootstrap.main(sys.argv[1:]))
"""


def as_nobody(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The bootstrap in a process that gave its rights away."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ATOLL_")}
    return subprocess.run(
        [sys.executable, "-c", AS_NOBODY, *words],
        env={**kept, **settings, "PYTHONPATH": str(environment.CHECKOUT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("words", [("up",), ("lab", "up")])
def test_without_root_and_cluster_the_three_ways_on_are_named(words):
    done = as_nobody(*words)
    assert done.returncode == 2
    for way in ("sudo ./atoll up", "ATOLL_KUBECONFIG=", "docker compose up"):
        assert way in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_without_root_what_must_be_installed_is_named(tmp_path):
    script = AS_NOBODY.replace(
        "bootstrap.main(sys.argv[1:])", "debian.ensure({'no-such-package': '/nowhere'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script.replace("import bootstrap", "import debian")],
        env={**os.environ, "PYTHONPATH": str(environment.CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "run: sudo apt-get install no-such-package" in done.stderr


def test_packages_that_are_there_need_nothing():
    debian.ensure({"bash": "bash", "passwd": "/etc/passwd"})


def test_without_apt_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="install by hand what brings these: no-such-package"):
        debian.ensure({"no-such-package": "no-such-program"})


def test_each_list_of_packages_is_installed_once():
    """The marker tells which lists the environment was made from; what changed is installed anew."""
    known = environment._lists(development=False), environment._lists(development=True)
    assert known == (("uv.txt", "base.txt"), ("uv.txt", "base.txt", "dev.txt"))
    assert len({environment._digest(name) for name in known[1]}) == 3


def test_only_what_looks_works_before_an_installation(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "PYTHON", tmp_path / "none")
    assert bootstrap.main(["status"]) == 0
    assert "./atoll up starts it" in capsys.readouterr().out


def test_help_needs_no_installation():
    done = subprocess.run(
        [sys.executable, "-S", str(environment.CHECKOUT / "atoll"), "--help"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0
    assert "Virtual Kubernetes clusters for teams" in done.stdout


def test_what_a_program_reads_begins_with_json(monkeypatch, capsys):
    """An environment that has to be brought up to date first says so elsewhere."""
    monkeypatch.setattr(environment, "ensure", lambda **_: say("installing the Python packages"))
    monkeypatch.setattr(bootstrap, "_hand_over", lambda *_: None)

    bootstrap.main(["status", "--json"])

    told = capsys.readouterr()
    assert (told.out, "installing the Python packages" in told.err) == ("", True)
