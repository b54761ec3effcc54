"""Real processes: what is started ends with its deadline, its lease and its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provisioner.adapters import process
from provisioner.outcomes import LeaseLost
from tests.fakes.world import FakeGuard

ENVIRONMENT = {"PATH": os.defpath}
ROOT = Path(__file__).resolve().parents[3]


def run(script, *, deadline=20.0, guard=None, stdin=None):
    work = process.run(
        ["sh", "-c", script],
        stdin=stdin,
        environment=ENVIRONMENT,
        deadline=deadline,
        guard=guard or FakeGuard(),
    )
    return asyncio.run(work)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_output_errors_and_code():
    ended = run("cat; echo bad >&2; exit 3", stdin=b"hello")
    assert (ended.code, ended.output, ended.errors, ended.overdue) == (3, b"hello", b"bad\n", False)


def test_nothing_of_our_environment_leaks(monkeypatch):
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    assert b"SECRET_OF_OURS" not in run("env").output


def test_it_is_ended_at_its_deadline_with_its_children(tmp_path):
    began = time.monotonic()
    ended = run(f"sleep 300 & echo $! > {tmp_path}/child; wait", deadline=0.5)
    assert ended.overdue
    assert time.monotonic() - began < 10
    child = int((tmp_path / "child").read_text())
    eventually(lambda: not alive(child))


def test_one_that_ignores_sigterm_is_killed(monkeypatch):
    monkeypatch.setattr(process, "GRACE", 0.3)
    assert run("trap '' TERM; while :; do sleep 0.1; done", deadline=0.3).overdue


def test_a_lost_lease_ends_it(tmp_path):
    class Losing(FakeGuard):
        def check(self):
            if (tmp_path / "pid").exists():
                msg = "lost"
                raise LeaseLost(msg)

    with pytest.raises(LeaseLost):
        run(f"echo $$ > {tmp_path}/pid; exec sleep 300", guard=Losing())
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not alive(pid))


def test_nothing_starts_without_the_lease(tmp_path):
    guard = FakeGuard()
    guard.held = False
    with pytest.raises(LeaseLost):
        run(f"touch {tmp_path}/started", guard=guard)
    assert not (tmp_path / "started").exists()


def test_a_time_limit_of_the_task_ends_it(tmp_path):
    """Celery's soft limit is an exception raised by a signal in the middle of anything."""

    class SoftLimit(Exception):
        pass

    def ring(_number, _frame):
        raise SoftLimit

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(SoftLimit):
            run(f"echo $$ > {tmp_path}/pid; exec sleep 300")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not alive(pid))


def test_it_dies_with_a_parent_that_is_killed(tmp_path):
    """kill -9 of a worker must not leave a Helm that goes on without a lease."""
    script = f"""
import asyncio
from provisioner.adapters import process
from tests.fakes.world import FakeGuard
asyncio.run(process.run(["sh", "-c", "echo $$ > {tmp_path}/pid; exec sleep 300"], stdin=None,
            environment={{"PATH": "/bin:/usr/bin"}}, deadline=200, guard=FakeGuard()))
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    try:
        eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), 60)
        pid = int((tmp_path / "pid").read_text())
        assert alive(pid)
    finally:
        parent.kill()
        parent.wait(10)
    eventually(lambda: not alive(pid))
