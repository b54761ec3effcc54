from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from lab import instance, registry
from lab.errors import LabError
from lab.instance import Instance


@pytest.fixture(autouse=True)
def _run_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(instance, "RUN", tmp_path / "run")


@pytest.fixture
def lab(tmp_path):
    made = Instance(tmp_path / "home", 5)
    made.data.mkdir(parents=True)
    return made


def test_a_claimed_lab_is_known_and_alive_until_it_is_let_go(lab):
    with registry.locked():
        lock = registry.claim(lab)
        assert registry.alive(lab.id)
        (record,) = registry.records()
    assert record.lab.link == lab.link
    assert record.slot == 5
    assert (record.pid, record.started) == (os.getpid(), registry.start_time(os.getpid()))
    os.close(lock)
    with registry.locked():
        assert not registry.alive(lab.id)
        assert registry.records() == [record]


def test_nobody_claims_a_living_lab(lab):
    with registry.locked():
        lock = registry.claim(lab)
        with pytest.raises(LabError, match="running already"):
            registry.claim(lab)
    os.close(lock)


def test_kill_9_ends_the_claim(lab, tmp_path):
    script = f"""
        from pathlib import Path
        from lab import instance, registry
        instance.RUN = Path({str(tmp_path / "run")!r})
        with registry.locked():
            lock = registry.claim(instance.Instance(Path({str(lab.home)!r}), 5))
        print("claimed", flush=True)
        input()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"claimed\n"
        with registry.locked():
            assert registry.alive(lab.id)
        child.kill()
    with registry.locked():
        assert not registry.alive(lab.id)


def test_stop_asks_and_then_insists():
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        record = registry.Record("x", "/nowhere", 0, child.pid, registry.start_time(child.pid))
        registry.stop(record, seconds=0.2)
        assert child.wait(5) == -9


def test_stop_spares_a_process_that_only_has_the_number():
    with subprocess.Popen(["sleep", "60"]) as child:
        registry.stop(registry.Record("x", "/nowhere", 0, child.pid, 12345), seconds=0.2)
        assert child.poll() is None
        child.kill()


def test_a_record_whose_home_is_gone_is_abandoned(lab):
    record = registry.Record(lab.id, str(lab.home), 5, 1, 1)
    assert not record.abandoned
    lab.data.rmdir()
    assert record.abandoned


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"id": "x"})])
def test_an_unreadable_record_is_no_record(tmp_path, text):
    (tmp_path / registry.RECORD).write_text(text)
    assert registry.read(tmp_path) is None


def test_the_folder_goes_with_the_last_lab():
    with registry.locked():
        assert instance.RUN.is_dir()
    assert not instance.RUN.exists()


def test_there_is_no_start_time_of_no_process():
    assert registry.start_time(2**22 + 1) == 0
    assert registry.start_time(os.getpid()) > 0
