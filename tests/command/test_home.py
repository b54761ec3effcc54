from __future__ import annotations

import os

import pytest

from command import home as homes
from command.home import Home
from command.terminal import CommandError


def test_it_is_private(home):
    assert {p.name: oct(p.stat().st_mode & 0o777) for p in home.root.iterdir()} == dict.fromkeys(
        ("backups", "bin", "hosts", "logs", "redis", "run"), "0o700"
    )
    assert home.root.stat().st_mode & 0o777 == 0o700


def test_what_was_open_is_closed(tmp_path):
    (tmp_path / "home").mkdir(mode=0o755)
    Home(tmp_path / "home").prepare()
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_a_long_path_still_gets_a_short_socket(tmp_path):
    home = Home(tmp_path / ("long" * 50))
    try:
        assert len(os.fsencode(home.redis_socket)) < 108
        assert home.sockets.stat().st_mode & 0o777 == 0o700
    finally:
        home.clear_sockets()
    assert not home.redis_socket.parent.exists()


def test_two_homes_have_two_sockets(tmp_path):
    assert Home(tmp_path / "a").id != Home(tmp_path / "b").id


def test_a_folder_of_sockets_that_others_could_enter_is_refused(tmp_path):
    home = Home(tmp_path / "home")
    home.sockets.chmod(0o777)
    try:
        with pytest.raises(CommandError, match="remove it"):
            _ = Home(tmp_path / "home").sockets
    finally:
        home.clear_sockets()


def test_the_environment_names_it(monkeypatch, tmp_path):
    monkeypatch.setenv("ATOLL_HOME", str(tmp_path / "x"))
    assert homes.find().root == (tmp_path / "x").resolve()
    monkeypatch.delenv("ATOLL_HOME")
    assert homes.find().root == homes.CHECKOUT / ".atoll"


def test_a_home_with_a_blank_in_its_path_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("ATOLL_HOME", str(tmp_path / "my home"))
    with pytest.raises(CommandError, match="ATOLL_HOME"):
        homes.find()


def test_files_are_written_whole_and_private(home):
    homes.write(home.credentials, "a: b\n")
    homes.write(home.credentials, "c: d\n")
    assert home.credentials.read_text() == "c: d\n"
    assert home.credentials.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in home.root.iterdir() if p.is_file()] == ["credentials"]
