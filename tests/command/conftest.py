from __future__ import annotations

import os
import sys
import time

import pytest

from command.home import Home


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.prepare()
    yield made
    made.clear_sockets()


@pytest.fixture
def environment(home):
    """As the supervisor gives it to its services."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ATOLL_")}
    return {**kept, "ATOLL_HOME": str(home.root), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def until(look, seconds: float = 15):
    """The first true answer; fails when the time is up."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)
