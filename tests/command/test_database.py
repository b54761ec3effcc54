from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from command import database, surroundings
from command.terminal import CommandError


@pytest.fixture
def settings_of_home(home, monkeypatch):
    monkeypatch.delenv("ATOLL_DATABASE_URL", raising=False)
    return surroundings.make(home, 8000)


def test_tables_are_made_kept_and_copied_before_they_change(home, settings_of_home, capsys):
    database.migrate(home, settings_of_home)
    assert "brought up to date" in capsys.readouterr().out
    assert list(home.backups.iterdir()) == []

    database.migrate(home, settings_of_home)
    assert capsys.readouterr().out.endswith("database: up to date\n")

    database.manage(settings_of_home, "migrate", "sessions", "zero")
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("PRAGMA user_version = 1")  # as an older checkout left it
    database.migrate(home, settings_of_home)
    (copy,) = home.backups.iterdir()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert "django_session" not in tables(copy)
    assert "tenancy_tenant" in tables(copy)
    assert "django_session" in tables(home.database)


def test_a_refusal_of_django_is_told_without_its_trace(settings_of_home):
    with pytest.raises(CommandError) as refused:
        database.manage(settings_of_home, "migrate", "nothing")
    assert str(refused.value) == "No installed app with label 'nothing'."


def test_only_the_last_copies_are_kept(home):
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("CREATE TABLE t (x)")
    made = [database.backup(home) for _ in range(database.KEPT + 2)]
    assert sorted(home.backups.iterdir()) == made[2:]


def test_a_copy_is_whole_while_others_write(home):
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
        connection.execute("INSERT INTO t VALUES (2)")  # not committed
        copy = database.backup(home)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]


def tables(path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
