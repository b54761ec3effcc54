from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from command import pids
from command.pids import Process
from tests.command.conftest import until


@pytest.fixture
def spawn(home, environment):
    """Starts a script in a session of its own; what is left of it ends with the test."""
    started = []

    def start(script: str, **more: str) -> tuple[Process, subprocess.Popen[bytes]]:
        popen = subprocess.Popen(
            [sys.executable, "-c", script],
            env={**environment, **more},
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(popen)
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"ready\n"
        return pids.identify("script", popen.pid), popen

    yield start
    for popen in started:
        if popen.poll() is None:
            os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()
        popen.stdout.close()


SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN);" + SLEEP
PARENT = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);" + SLEEP
)


def test_one_that_listens_ends_when_asked(spawn, home):
    process, popen = spawn(SLEEP)
    assert pids.stop(process, home, seconds=10)
    assert not process.alive
    assert popen.poll() is not None


def test_one_that_does_not_is_forced(spawn, home):
    process, _ = spawn(STUBBORN)
    assert pids.stop(process, home, seconds=0.3)
    assert not process.alive


def test_what_a_dead_leader_left_is_ended_too(spawn, home):
    process, popen = spawn(PARENT)
    os.kill(process.pid, signal.SIGKILL)
    popen.wait()
    (orphan,) = (pids.identify("orphan", pid) for pid in pids.members(process.pid, home))
    assert pids.stop(process, home, seconds=0)
    until(lambda: not orphan.alive)


def test_another_process_with_the_same_id_is_left_alone(spawn, home):
    process, popen = spawn(SLEEP)
    older = Process("script", process.pid, process.started - 1)
    assert not older.alive
    popen_home = home.__class__(home.root.with_name("other"))
    assert not pids.stop(older, popen_home, seconds=0)
    assert popen.poll() is None


def test_nothing_to_end_is_told(home):
    assert not pids.stop(Process("gone", 2**22 - 1, 1), home, seconds=0)


def test_records_outlive_their_writer(spawn, home):
    process, _ = spawn(SLEEP)
    pids.record(home, process)
    assert pids.recorded(home) == [process]
    pids.forget(home, "script")
    assert pids.recorded(home) == []


def test_a_record_that_cannot_be_read_is_passed_over(home):
    (home.run / "broken.pid").write_text("{")
    assert pids.recorded(home) == []
