"""``./atoll`` and the client: whose words are whose, and which Atoll is meant."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import pytest

from command import arguments, bootstrap, client, environment, pids, single
from command.environment import CHECKOUT


@pytest.mark.parametrize(
    "words",
    [
        "cluster list",
        "get clusters",
        "gpu --help",
        "login URL",
        "host list",
        "host get lab",
        "audit head",
        "statsu",
        "--version",
    ],
)
def test_words_of_the_client(words):
    assert arguments.for_client(words.split())


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--help",
        "-h",
        "up",
        "up --port 1",
        "status",
        "host",
        "host add x",
        "host keep x",
        "host --help",
        "audit verify f",
        "audit export",
        "attest verify",
        "test -k x",
        "lab nonsense",
    ],
)
def test_words_of_the_platform(words):
    assert not arguments.for_client(words.split())


@pytest.fixture
def serving(home):
    found = single.Serving("http://127.0.0.1:8123", "lab", pids.identify("atoll", os.getpid()))
    home.up.write_text(json.dumps(asdict(found)))
    with single.claimed(home):
        yield home


def test_the_atoll_that_runs_here_is_meant(serving):
    serving.token("admin").write_text("a")
    assert client.settings(serving, {})["ATOLL_TOKEN_FILE"] == str(serving.token("admin"))
    serving.token("demo").write_text("d")

    found = client.settings(serving, {})

    assert (found["ATOLL_URL"], found["ATOLL_TOKEN_FILE"]) == (
        "http://127.0.0.1:8123",
        str(serving.token("demo")),
    )
    assert found["ATOLL_PROGRAM"] == str(CHECKOUT / "atoll")


@pytest.mark.parametrize("name", ["ATOLL_TOKEN", "ATOLL_TOKEN_FILE"])
def test_what_a_person_set_stands(serving, name):
    serving.token("demo").write_text("d")

    assert set(client.settings(serving, {name: "x"})) == {"ATOLL_URL", "ATOLL_PROGRAM"}
    assert set(client.settings(serving, {"ATOLL_URL": "https://prod.test"})) == {"ATOLL_PROGRAM"}


def test_where_none_runs_the_clients_own_contexts_count(home):
    assert set(client.settings(home, {})) == {"ATOLL_PROGRAM"}


def test_the_client_takes_the_commands_place(home, monkeypatch):
    """Nothing is installed here, and this process goes on: what would be started is noted."""
    started = []
    monkeypatch.setenv("ATOLL_HOME", str(home.root))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(bootstrap.environment, "ensure", lambda *, development: started.append(development))
    monkeypatch.setattr(bootstrap.os, "execv", lambda path, argv: started.append(argv))

    bootstrap.main(["cluster", "list", "-o", "json"])

    assert started == [
        False,
        [str(environment.PYTHON), "-P", "-m", "atoll_client", "cluster", "list", "-o", "json"],
    ]
    assert os.environ["ATOLL_PROGRAM"] == str(environment.CHECKOUT / "atoll")
