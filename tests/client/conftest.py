from __future__ import annotations

import pytest

from atoll_client import Atoll, sending, waiting
from atoll_client.cli.main import main
from portal.api.views import kubeconfigs
from tests import factories
from tests.client.portal import Portal


@pytest.fixture(autouse=True)
def _home(monkeypatch, tmp_path):
    """A person without any Atoll, on a machine of their own."""
    for name in (
        "ATOLL_URL",
        "ATOLL_TOKEN",
        "ATOLL_TOKEN_FILE",
        "ATOLL_TENANT",
        "KUBECONFIG",
        "ATOLL_PROGRAM",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    monkeypatch.setattr(waiting, "SHORT_POLL", 0)


@pytest.fixture
def team(db):
    """Alice owns the tenant ``team``, on a host that was seen."""
    alice = factories.actor("alice")
    factories.host()
    factories.tenant("team", owner=alice)
    return alice


@pytest.fixture
def portal():
    return Portal()


@pytest.fixture
def atoll(team, portal):
    """Alice's client."""
    with Atoll("http://testserver", factories.token(team), transport=portal, patience=5) as made:
        yield made


@pytest.fixture
def impatient(monkeypatch):
    """The portal does not wait for a worker that is not there."""
    monkeypatch.setattr(kubeconfigs, "PATIENCE", 0.0)


@pytest.fixture
def cli(team, portal, monkeypatch, capsys):
    """Runs ``atoll`` for Alice; gives status, standard output and standard error."""
    monkeypatch.setenv("ATOLL_URL", "http://testserver")
    monkeypatch.setenv("ATOLL_TOKEN", factories.token(team))

    def run(*words, stdin=""):
        import io

        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        status = main([str(word) for word in words], transport=portal)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return status, said.out, said.err

    return run
