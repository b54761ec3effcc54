from __future__ import annotations

import json
import os
import signal
import time

import pytest

from lab import processes
from lab.components import Component
from lab.processes import Crew
from tests.lab.conftest import until


@pytest.fixture
def crew(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "FIRST_PAUSE", 0.1)
    made = Crew(tmp_path / "logs", tmp_path / "table.json")
    yield made
    made.end()
    made.stop("", seconds=1)


def rows(tmp_path):
    return {row["name"]: row for row in json.loads((tmp_path / "table.json").read_text())["processes"]}


def test_one_that_dies_is_started_again_and_counted(crew, tmp_path):
    crew.add(Component("sleeper", ("sleep", "100")), [])
    first = rows(tmp_path)["sleeper"]
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: rows(tmp_path)["sleeper"]["restarts"] == 1, 10)
    second = rows(tmp_path)["sleeper"]
    assert second["pid"] != first["pid"]
    assert second["running"]


def test_one_that_always_fails_is_tried_less_and_less(crew, tmp_path):
    crew.add(Component("failing", ("false",)), [])
    time.sleep(3)
    assert 2 <= rows(tmp_path)["failing"]["restarts"] <= 5


def test_nothing_comes_back_after_the_end(crew, tmp_path):
    process = crew.add(Component("sleeper", ("sleep", "100")), [])
    crew.end()
    crew.stop("sleeper", seconds=2)
    time.sleep(0.8)
    assert not process.running
    late = crew.add(Component("late", ("sleep", "100")), [])
    assert not late.running


def test_one_that_will_not_end_is_ended(crew):
    stubborn = ("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    process = crew.add(Component("stubborn", stubborn), [])
    time.sleep(0.3)
    crew.end()
    crew.stop("stubborn", seconds=0.3)
    assert not process.running


def test_it_logs_and_has_the_environment_of_the_lab_alone(crew, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://somewhere.invalid")
    command = ("sh", "-c", "echo proxy=$HTTPS_PROXY own=$OWN; sleep 100")
    crew.add(Component("talker", command, env={"OWN": "yes"}), [])
    log = tmp_path / "logs" / "talker.log"
    until(lambda: log.read_text() == "proxy= own=yes\n", 5)


def test_a_log_without_end_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "LOG_LIMIT", 10)
    log = tmp_path / "log"
    process = processes.Process(Component("x", ("true",)), [], log)
    process.trim()
    log.write_text("short")
    process.trim()
    assert log.read_text() == "short"
    log.write_text("much too long")
    process.trim()
    assert log.read_text() == ""
