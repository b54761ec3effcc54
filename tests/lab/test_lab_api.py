"""The ways in, without a lab: options, ranges, progress, archives, the command line."""

from __future__ import annotations

import io
import json
import socket
import tarfile
import threading
from dataclasses import asdict
from ipaddress import IPv4Address, IPv4Network

import pytest

from lab import (
    __main__,
    api,
    dns,
    network,
    packages,
    progress,
    registry,
    runtime,
    shell,
    start,
    status,
    waiting,
)
from lab.errors import LabError, StoppedError
from lab.instance import Options, Ranges
from lab.progress import Journal, Progress, State


@pytest.fixture
def quiet_machine(monkeypatch):
    monkeypatch.setattr(registry, "records", list)
    monkeypatch.setattr(network, "routes", list)


def remember(home, **values):
    (home / "lab").mkdir(parents=True, exist_ok=True)
    (home / "lab" / "instance.json").write_text(json.dumps(values))


def test_options_are_as_asked_else_as_last_time_else_the_least(tmp_path):
    assert start.choose_options(tmp_path, None, None, None) == Options(2, 0, 0)
    remember(tmp_path, workers=2, gpus=4, fake_nodes=3)
    assert start.choose_options(tmp_path, None, 0, None) == Options(2, 0, 3)


@pytest.mark.parametrize(("workers", "gpus", "fakes"), [(0, 0, 0), (9, 0, 0), (1, -1, 0), (1, 0, 1001)])
def test_impossible_options_are_named(tmp_path, workers, gpus, fakes):
    with pytest.raises(LabError, match=r"(workers|gpus|fake_nodes) must be from \d+ to \d+, not"):
        start.choose_options(tmp_path, workers, gpus, fakes)


@pytest.mark.usefixtures("quiet_machine")
def test_a_new_lab_avoids_addresses_others_use(tmp_path, monkeypatch):
    first = start._slot(tmp_path)
    monkeypatch.setattr(network, "routes", lambda: [Ranges(first).services])
    second = start._slot(tmp_path)
    assert second != first
    others = [registry.Record("other", "/other", second, 1, 1)]
    monkeypatch.setattr(registry, "records", lambda: others)
    assert start._slot(tmp_path) not in {first, second}


@pytest.mark.usefixtures("quiet_machine")
def test_a_lab_with_data_keeps_its_addresses_or_says_why_not(tmp_path, monkeypatch):
    remember(tmp_path, slot=9)
    assert start._slot(tmp_path) == 9
    monkeypatch.setattr(network, "routes", lambda: [Ranges(9).link])
    with pytest.raises(LabError, match=r"10\.169\.0\.0/16, are in use .* reset"):
        start._slot(tmp_path)


@pytest.mark.usefixtures("quiet_machine")
def test_no_free_addresses_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(network, "routes", lambda: [IPv4Network("10.128.0.0/9")])
    with pytest.raises(LabError, match="has a route already"):
        start._slot(tmp_path)


def test_a_wide_route_takes_no_address_away(monkeypatch):
    listed = [
        {"dst": "default"},
        {"dst": "10.0.0.0/8"},
        {"dst": "192.0.2.0/24"},
        {"type": "local", "dst": "10.9.9.9"},
    ]
    monkeypatch.setattr(network, "run", lambda _argv: json.dumps(listed))
    assert network.routes() == [IPv4Network("192.0.2.0/24")]


def test_progress_is_written_whole_and_said_once(tmp_path):
    file, said = tmp_path / "progress.json", []
    journal = Journal(file, said.append)
    journal.building("compiling", 1, 3)
    first = progress.read(file)
    journal.building("compiling", 2, 3)
    journal.building("compiling", 2, 3)
    journal.write(State.READY, "running")
    assert first == Progress(State.BUILDING, "compiling", 1, 3, first.since)
    assert progress.read(file).state is State.READY
    assert [line.partition("] ")[2] for line in said] == ["lab building: 1/3 compiling", "lab ready: running"]


def test_progress_never_brings_a_vanished_home_back(tmp_path):
    Journal(tmp_path / "gone" / "progress.json", print).write(State.READY, "running")
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"state": "dreaming"}'])
def test_unreadable_progress_is_stopped(tmp_path, text):
    (tmp_path / "progress.json").write_text(text)
    assert progress.read(tmp_path / "progress.json") == Progress()


def test_a_dead_supervisor_s_word_is_not_believed(tmp_path):
    (tmp_path / "lab").mkdir()
    Journal(tmp_path / "lab" / "progress.json", print).write(State.READY, "running")
    seen = api.state(tmp_path)
    assert seen.state is State.FAILED
    assert "supervisor is gone" in seen.step


def test_waiting_ends_with_success_a_stop_or_a_name():
    stop = threading.Event()
    answers = iter([OSError("not yet"), None])

    def condition():
        answer = next(answers)
        if answer:
            raise answer
        return True

    waiting.until(condition, "it", seconds=5, stop=stop)
    with pytest.raises(LabError, match="the thing: not after 0 s; look there"):
        waiting.until(lambda: False, "the thing", seconds=0, stop=stop, hint="look there")
    stop.set()
    with pytest.raises(StoppedError):
        waiting.until(lambda: False, "it", seconds=5, stop=stop)


def test_archives_that_are_none_are_refused_by_name(tmp_path):
    with pytest.raises(LabError, match=r"absent\.tar: no such file"):
        runtime.check(tmp_path / "absent.tar")
    junk = tmp_path / "junk.tar"
    junk.write_text("junk")
    with pytest.raises(LabError, match=r"junk\.tar is no tar archive; .*docker save"):
        runtime.check(junk)
    other = tmp_path / "other.tar"
    with tarfile.open(other, "w") as tar:
        tar.addfile(tarfile.TarInfo("readme"), io.BytesIO())
    with pytest.raises(LabError, match="holds no image"):
        runtime.check(other)
    good = tmp_path / "good.tar"
    with tarfile.open(good, "w") as tar:
        tar.addfile(tarfile.TarInfo("./manifest.json"), io.BytesIO())
    runtime.check(good)


def test_commands_that_fail_hang_or_are_not_there_say_so():
    with pytest.raises(LabError, match="exit status 3: oh no"):
        shell.run(["sh", "-c", "echo oh no >&2; exit 3"])
    with pytest.raises(LabError, match="no end after 0 s"):
        shell.run(["sleep", "5"], timeout=0.1)
    with pytest.raises(LabError, match="no-such-command: command not found"):
        shell.run(["no-such-command"])
    assert shell.run(["cat"], stdin="hello") == "hello"
    assert not shell.succeeds(["false"])


def test_missing_packages_are_named_with_the_command(monkeypatch):
    monkeypatch.setitem(packages.DEBIAN_PACKAGES, "zzz-absent", "/no/such/file")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(LabError, match=r"apt-get install -y .*zzz-absent"):
        packages.check()


def test_without_root_the_ways_on_are_named(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match=r"needs root .*ATOLL_KUBECONFIG"):
        packages.check()


def test_a_dns_answer_is_told_from_a_refusal():
    def answer(code, records):
        def serve(server):
            packet, client = server.recvfrom(512)
            header = (
                packet[:2] + bytes([0x81, 0x80 | code]) + packet[4:6] + records.to_bytes(2, "big") + b"\0" * 4
            )
            server.sendto(header + packet[12:], client)

        return serve

    for serve, expected in [(answer(0, 1), True), (answer(3, 0), False)]:
        assert _ask(serve) is expected


def _ask(serve):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        port = server.getsockname()[1]
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            return dns.answers(IPv4Address("127.0.0.1"), port=port)
        finally:
            thread.join()


def test_status_of_no_lab_is_said(tmp_path, capsys):
    assert __main__.main(["--home", str(tmp_path), "status"]) == 0
    assert "lab        stopped" in capsys.readouterr().out
    assert __main__.main(["--home", str(tmp_path), "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "stopped"


def test_loading_without_a_lab_is_an_error_that_names_the_fix(tmp_path, capsys):
    good = tmp_path / "good.tar"
    with tarfile.open(good, "w") as tar:
        tar.addfile(tarfile.TarInfo("manifest.json"), io.BytesIO())
    assert __main__.main(["--home", str(tmp_path), "load", str(good)]) == 1
    assert "no lab was started" in capsys.readouterr().err
    remember(tmp_path, slot=1, programs="/programs", **asdict(Options()))
    assert __main__.main(["--home", str(tmp_path), "load", str(good)]) == 1
    assert "is not running; `./atoll lab up`" in capsys.readouterr().err


def test_status_names_what_is_broken_and_where_to_look(tmp_path, monkeypatch):
    remember(tmp_path, slot=1, programs="/programs", **asdict(Options()))
    row = {
        "name": "kine",
        "pid": 2**22 + 1,
        "started": 5,
        "since": "",
        "restarts": 4,
        "log": "/logs/kine.log",
    }
    monkeypatch.setattr(api, "state", lambda _home: Progress(State.READY, "running", 9, 9, "now"))
    monkeypatch.setattr(status, "processes", lambda _lab: [{**row, "running": False}])
    monkeypatch.setattr(status, "_nodes", lambda _lab: {"worker-1": "not ready: ill"})
    seen = status.look(tmp_path)
    assert len(seen["problems"]) == 2
    assert "kine is not running" in seen["problems"][0]
    assert "worker-1-kubelet.log" in seen["problems"][1]
    assert "problem    kine is not running" in status.text(seen)
