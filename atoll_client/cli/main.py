"""The command as a whole: what argument words lead where."""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

import atoll_client
from atoll_client import document
from atoll_client.cli import anything, clusters, learning, sessions, waits
from atoll_client.cli.making import command, watching
from atoll_client.cli.shell import Shell, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

    from atoll_client.document import Api, Verb

PROGRAM: Final = "ATOLL_PROGRAM"
"""How the program that stands before this one is started."""
ABOUT: Final = """Virtual Kubernetes clusters for teams, from the command line.

Objects are named by references such as demo/first: what owns them, then themselves. The nouns and verbs
are those of the Atoll that is spoken with. Status: 0 done, 1 refused, 2 usage, 3 not found, 4 conflict,
5 unavailable or too late, 6 not signed in, 130 interrupted."""
ALONE: Final = frozenset({"login", "logout", "context", "whoami", "kube-credential", "--version"})
"""Words that need no document."""
ALIASES: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("gpu", "request"): ("gpu-request", "create"),
    ("gpu", "requests"): ("gpu-request", "list"),
    ("gpu", "what-if"): ("gpu-request", "what-if"),
    ("gpu", "approve"): ("gpu-request", "approve"),
    ("gpu", "deny"): ("gpu-request", "deny"),
    ("gpu", "counter"): ("gpu-request", "counter"),
    ("gpu", "accept"): ("gpu-request", "accept"),
    ("gpu", "decline"): ("gpu-request", "decline"),
    ("gpu", "withdraw"): ("gpu-request", "withdraw"),
    ("gpu", "grants"): ("gpu-grant", "list"),
    ("gpu", "extend"): ("gpu-grant", "extend"),
    ("gpu", "return"): ("gpu-grant", "return"),
    ("gpu", "classes"): ("accelerator-class", "list"),
    ("gpu", "usage"): ("tenant", "gpu-usage"),
    ("token", "revoke"): ("token", "delete"),
}
"""Words that people use → noun and verb of the document."""
FIRST: Final = ("cluster", "gpu", "token", "context")
"""What people look for most."""


def main(argv: Sequence[str], transport: httpx.BaseTransport | None = None) -> int:
    """Runs one command and gives its exit status."""
    shell = Shell(program(), transport)
    words = list(argv)
    try:
        with shell.ending():  # what happens before a command is found is told as what happens in one
            build(shell, _learnt(shell, words), words)(args=words, prog_name="atoll")
    except SystemExit as ended:
        return int(ended.code or 0) if not isinstance(ended.code, str) else Status.REFUSED
    except typer.Exit as ended:
        return int(ended.exit_code)
    return Status.OK


def program() -> list[str]:
    """How kubectl can start this program."""
    given = os.environ.get(PROGRAM) or sys.argv[0]
    found = shutil.which(given)
    if found and Path(given).name == "atoll":
        return [str(Path(found).absolute())]
    return [sys.executable, "-m", "atoll_client"]


def build(shell: Shell, api: Api, words: Sequence[str] = ()) -> typer.Typer:
    """All commands that there are with this document; only the noun's own where ``words`` begin with one."""
    app = typer.Typer(
        name="atoll",
        help=ABOUT,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    plain = sessions.commands(shell) | anything.commands(shell, api)
    plain["kube-credential"] = clusters.kube_credential(shell)
    for name, function in plain.items():
        app.command(name)(shell.guarded(function))
    nouns = groups(shell, api)
    wanted = [words[0]] if words and words[0] in nouns else [noun for noun in nouns if noun not in plain]
    for noun in wanted:
        group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
        for name, made in nouns[noun].items():
            group.command(name)(made())
        app.add_typer(group, name=noun, help=", ".join(nouns[noun]))
    return app


def groups(shell: Shell, api: Api) -> dict[str, dict[str, Callable[[], Callable[..., None]]]]:
    """Noun → verb → what makes the function; what was written by hand wins."""
    found: dict[str, dict[str, Callable[[], Callable[..., None]]]] = {noun: {} for noun in FIRST}
    for (noun, name), verbs in api.verbs.items():
        found.setdefault(noun, {}).update(_made_of(shell, api, name, verbs))
    for (noun, name), target in ALIASES.items():
        if target in api.verbs:
            found[noun][name] = partial(command, shell, api, api.verbs[target])
    for name, function in clusters.commands(shell).items():
        found["cluster"][name] = partial(shell.guarded, function)
    for name, function in sessions.context_commands().items():
        found["context"][name] = partial(shell.guarded, function)
    return {noun: verbs for noun, verbs in found.items() if verbs}


def _made_of(
    shell: Shell, api: Api, name: str, verbs: Sequence[Verb]
) -> Iterator[tuple[str, Callable[[], Callable[..., None]]]]:
    """Commands that come of a verb of the document."""
    yield name, partial(command, shell, api, verbs)
    if name == "apply" and any(one.name == "dry_run" for one in verbs[0].query):
        yield "plan", partial(command, shell, api, verbs, plan=True)
    if name == "ready":
        yield "wait", partial(_waiting, shell, api, verbs[0].noun)
    if name == "list" and verbs[0].streaming:
        yield "watch", partial(watching, shell, api, verbs)


def _waiting(shell: Shell, api: Api, noun: str) -> Callable[..., None]:
    return shell.guarded(waits.command(shell, api, noun))


def _learnt(shell: Shell, words: list[str]) -> Api:
    """The document, where the words need it."""
    if words[:1] and words[0] in ALONE:
        return document.read({})
    return learning.api(shell, words, lambda api: _has(shell, api, words))


def _has(shell: Shell, api: Api, words: list[str]) -> bool:
    """Whether the words lead somewhere."""
    noun, verb = ([word for word in words[:2] if not word.startswith("-")] + ["", ""])[:2]
    if noun in {"get", "delete"}:
        return not verb or bool(api.noun(verb))
    known = groups(shell, api)
    return noun in {"", "apply", "api"} or (noun in known and verb in {"", *known[noun]})


def _version(wanted: bool) -> None:  # noqa: FBT001 - an option of the command line
    if wanted:
        typer.echo(f"atoll {atoll_client.__version__}")
        raise typer.Exit


def _root(
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Tell it and leave.")
    ] = False,
) -> None:
    pass
