from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from command import pids, ports, single
from command.home import Home
from command.terminal import CommandError


def test_one_has_it_and_the_other_is_told(home):
    with single.claimed(home) as first, single.claimed(home) as second:
        assert (first, second) == (True, False)
        assert single.taken(home)
    assert not single.taken(home)


def test_where_it_serves_is_known_while_it_does(home):
    single.announce(home, "http://127.0.0.1:8000", "lab")
    assert single.serving(home) is None  # nobody holds the lock: it died
    with single.claimed(home):
        found = single.serving(home)
        assert found is not None
        assert (found.url, found.host, found.process.pid) == ("http://127.0.0.1:8000", "lab", os.getpid())
    single.withdraw(home)
    with single.claimed(home):
        assert single.serving(home) is None


def test_what_was_left_over_is_ended(home, environment):
    popen = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env=environment, start_new_session=True
    )
    try:
        worker = pids.identify("worker", popen.pid)
        pids.record(home, worker)
        single.reap(home)
        assert not worker.alive
        assert pids.recorded(home) == []
    finally:
        popen.kill()
        popen.wait()


def test_a_home_that_was_never_used_is_free(tmp_path):
    assert not single.taken(Home(tmp_path / "none"))


def test_a_free_port_is_free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ports.check(port)


def test_who_has_a_port_is_named_and_the_flag():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(CommandError) as refused:
            ports.check(port)
    assert f"port {port} is taken by process {os.getpid()} (" in str(refused.value)
    assert f"--port {port + 1}" in str(refused.value)
