from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command import pids, service
from command.service import Service
from command.supervisor import LONGEST_PAUSE, Supervisor, pause_before
from tests.command.conftest import until

SLEEP = Service("sleeper", (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"))
BRIEF = Service("brief", (sys.executable, "-c", "print('I cannot go on', flush=True); raise SystemExit(3)"))


@pytest.fixture
def supervisor(home, environment):
    made = Supervisor(home, environment)
    yield made
    made.stop()


def test_a_service_is_started_recorded_and_stopped(supervisor, home):
    supervisor.start(SLEEP)
    (process,) = pids.recorded(home)
    until(lambda: "up" in service.tail(home, "sleeper"))
    assert process.alive
    supervisor.stop()
    assert not process.alive
    assert pids.recorded(home) == []


def test_one_that_dies_is_started_again(supervisor, home):
    supervisor.start(SLEEP)
    (first,) = pids.recorded(home)
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not first.alive)

    def again():
        supervisor.tend()
        return supervisor.running("sleeper")

    until(again)
    (second,) = pids.recorded(home)
    assert second != first


def test_its_end_is_told_with_its_last_words(supervisor, capsys):
    supervisor.start(BRIEF)

    def told():
        supervisor.tend()
        return capsys.readouterr().out

    said = until(lambda: (text := told()) and "ended" in text and text)
    assert "brief: ended (exit status 3); again in 1.0 s" in said
    assert "brief | I cannot go on" in said


def test_eagerness_declines():
    assert [pause_before(n) for n in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert pause_before(1000) == LONGEST_PAUSE


def test_services_end_with_a_supervisor_that_is_killed(home, environment):
    script = (
        "import sys; from pathlib import Path; from command.home import Home; from command.service import *;"
        "import os, time; home = Home(Path(sys.argv[1]));"
        "start(Service('child', (sys.executable, '-c', 'import time; time.sleep(60)')), home, dict(os.environ));"
        "print('ready', flush=True); time.sleep(60)"
    )
    boss = subprocess.Popen(
        [sys.executable, "-c", script, str(home.root)], env=environment, stdout=subprocess.PIPE
    )
    try:
        assert boss.stdout.readline() == b"ready\n"
        (child,) = pids.recorded(home)
        until(lambda: _program(child.pid) != "command.child")
        assert child.alive
    finally:
        boss.kill()
        boss.wait()
        boss.stdout.close()
    until(lambda: not child.alive)


def _program(pid: int) -> str:
    """What it runs: the step in between sets the kernel's promise before it becomes the program."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return "command.child" if "command.child" in words else "program"


def test_a_log_that_grew_is_put_aside_while_its_service_goes_on(supervisor, home, monkeypatch):
    code = "import time\nprint('first', flush=True)\nwhile True: print('more', flush=True); time.sleep(0.05)"
    supervisor.start(Service("talker", (sys.executable, "-c", code)))
    path = service.log_path(home, "talker")
    until(lambda: path.read_text().count("more") > 3)
    monkeypatch.setattr(service, "LOG_LIMIT", 10)
    supervisor.tend()
    monkeypatch.undo()
    assert path.with_suffix(".log.1").read_text().startswith("first\nmore\n")
    until(lambda: path.read_text().startswith("more\n"))
    assert "first" not in path.read_text()
    assert supervisor.running("talker")


def test_stopping_is_quick(supervisor):
    supervisor.start(SLEEP)
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < SLEEP.stop_seconds
