from __future__ import annotations

import ast

import pytest

from command import arguments
from command.environment import CHECKOUT


@pytest.fixture(autouse=True)
def _no_port(monkeypatch):
    monkeypatch.delenv("ATOLL_PORT", raising=False)


def test_up_serves_on_8000_with_the_demo():
    asked = arguments.parse(["up"])
    assert (asked.command, asked.port, asked.no_demo, asked.gpus, asked.fake_nodes) == (
        "up",
        8000,
        False,
        None,
        None,
    )


def test_the_port_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("ATOLL_PORT", "8123")
    assert arguments.parse(["up"]).port == 8123
    assert arguments.parse(["up", "--port", "8124"]).port == 8124


def test_the_lab_takes_its_options():
    asked = arguments.parse(["up", "--gpus", "4", "--fake-nodes", "100"])
    assert (asked.gpus, asked.fake_nodes) == (4, 100)


def test_what_test_does_not_know_goes_to_pytest():
    asked = arguments.parse(["test", "--all", "tests/tenancy", "-k", "quota", "-x"])
    assert asked.all
    assert asked.pytest == ["tests/tenancy", "-k", "quota", "-x"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["up", "--port", "0"], "'0' is no port: give a number from 1 to 65535"),
        (["up", "--port", "http"], "'http' is no port"),
        (["up", "--gpus", "-1"], "--gpus"),
        (["up", "--fake-nodes", "many"], "'many' is no count: give a whole number from 0 on"),
        (["up", "--exposure", "magic"], "choose from 'clusterIP', 'loadBalancer', 'nodePort'"),
        (["down", "--now"], "unrecognized arguments: --now (see ./atoll down --help)"),
        (["frobnicate"], "choose from 'up', 'down'"),
        ([], "COMMAND"),
        (["host", "add", "mine"], "--kubeconfig"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_fix(words, says, capsys):
    with pytest.raises(SystemExit) as ended:
        arguments.parse(words)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_an_old_python_can_read_what_tells_it_that_it_is_old():
    ast.parse((CHECKOUT / "atoll").read_text(), feature_version=(3, 4))
