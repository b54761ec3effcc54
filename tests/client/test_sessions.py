"""Signing in: what is kept, who may read it, and which of environment, option and file wins."""

from __future__ import annotations

import stat

import pytest

from atoll_client import contexts
from atoll_client.cli.main import main
from atoll_client.errors import Misconfigured
from tests import factories


@pytest.fixture
def atoll_command(portal, team, monkeypatch, capsys):
    """Without any environment, as on a new laptop."""

    def run(*words, stdin=""):
        import io

        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        status = main(list(words), transport=portal)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return status, said.out, said.err

    return run


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_token_is_kept_for_its_owner_alone(atoll_command, team):
    token = factories.token(team)

    status, out, _ = atoll_command("login", "http://testserver/api/v1/", stdin=f"{token}\n")

    assert (status, out) == (0, "signed in to http://testserver as alice (context testserver)\n")
    where = contexts.path()
    assert (mode(where), mode(where.parent)) == (0o600, 0o700)
    assert token in where.read_text()
    assert atoll_command("whoami")[0] == 0
    where.chmod(0o644)
    status, _, told = atoll_command("whoami")
    assert (status, f"chmod 600 {where}" in told) == (2, True)


def test_a_token_that_is_none_is_not_kept(atoll_command):
    status, _, told = atoll_command("login", "http://testserver", stdin="atoll_wrong\n")

    assert (status, "sign in again" in told) == (6, True)
    assert not contexts.path().exists()


@pytest.mark.parametrize("text", ["", "two words", "nul\0", "ümlaut"])
def test_what_no_header_carries_is_no_token(atoll_command, text):
    status, _, told = atoll_command("login", "http://testserver", stdin=f"{text}\n")

    assert (status, "give one line" in told) == (2, True)
    assert "words" not in told


def test_several_contexts(atoll_command, team, tmp_path):
    file = tmp_path / "token"
    file.write_text(factories.token(team) + "\n")
    for name in ("one", "two"):
        words = ("http://testserver", "--token-file", str(file), "--name", name, "--tenant", "team")
        assert atoll_command("login", *words)[0] == 0

    listed = atoll_command("context", "list")[1].splitlines()
    assert [row.split()[:3] for row in listed[1:]] == [
        ["one", "http://testserver", "team"],
        ["*", "two", "http://testserver"],
    ]
    assert atoll_command("context", "use", "one")[1] == "context one is current\n"
    assert atoll_command("context", "tenant", "other")[0] == 0
    assert contexts.find().tenant == "other"
    assert atoll_command("cluster", "list", "--context", "two", "-o", "json")[:2] == (0, "[]\n")
    assert atoll_command("logout")[0] == 0
    assert list(contexts.read().contexts) == ["two"]
    assert atoll_command("logout", "one")[0] == 2


def test_nobody_knows_an_atoll(atoll_command):
    status, _, told = atoll_command("cluster", "list")

    assert (status, "run 'atoll login URL'" in told) == (2, True)
    status, out, told = atoll_command("--help")
    assert (status, "login" in out, "left out" in told) == (0, True, True)


def test_a_token_goes_only_where_it_belongs(monkeypatch, tmp_path):
    kept = contexts.Context("https://prod.test", "secret", "team", "prod")
    contexts.change(lambda config: config.having(kept))
    assert contexts.find() == kept
    monkeypatch.setenv("ATOLL_URL", "https://other.test")
    assert (contexts.find().url, contexts.find().token) == ("https://other.test", "")
    assert contexts.find("prod") == kept
    monkeypatch.setenv("ATOLL_TOKEN", "mine")
    assert (contexts.find().token, contexts.find("prod").token) == ("mine", "secret")
    monkeypatch.delenv("ATOLL_URL")
    assert (contexts.find().url, contexts.find().token, contexts.find().name) == (
        "https://prod.test",
        "mine",
        "",
    )
    monkeypatch.delenv("ATOLL_TOKEN")
    file = tmp_path / "token"
    file.write_text("filed\n")
    monkeypatch.setenv("ATOLL_TOKEN_FILE", str(file))
    assert (contexts.find().token, contexts.find().token_file) == ("filed", str(file))
    assert "secret" not in repr(kept)


@pytest.mark.parametrize("text", ["[", "contexts: [1]", "contexts: {a: {nonsense: 1}}", "12"])
def test_a_broken_file_is_told_and_left(text):
    where = contexts.path()
    where.parent.mkdir(parents=True)
    where.write_text(text)
    where.chmod(0o600)

    with pytest.raises(Misconfigured, match="mend or remove it"):
        contexts.find()
    assert where.read_text() == text


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_comes_without_an_atoll(atoll_command, words):
    status, out, told = atoll_command(*words)

    assert (status, "login" in out + told, "left out" in told) == (0 if words else 2, True, True)


def test_shells_complete_without_an_atoll(atoll_command, monkeypatch):
    for name, value in {
        "_ATOLL_COMPLETE": "complete_bash",
        "COMP_WORDS": "atoll log",
        "COMP_CWORD": "1",
    }.items():
        monkeypatch.setenv(name, value)

    assert atoll_command()[1].split() == ["login", "logout"]
