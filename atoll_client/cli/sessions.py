"""Signing in and out, and which Atoll is meant."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from atoll_client import contexts
from atoll_client.atoll import Atoll, base
from atoll_client.cli.making import ContextOption, OutputOption
from atoll_client.cli.output import Format, lines, show, write
from atoll_client.cli.shell import PATIENCE, note
from atoll_client.contexts import Config, Context
from atoll_client.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll_client.cli.shell import Shell
    from atoll_client.sending import Object

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,62}")
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def commands(shell: Shell) -> dict[str, Callable[..., None]]:
    """By name."""

    def login(
        url: Annotated[str, typer.Argument(help="As in https://atoll.example.com.", show_default=False)],
        token_file: Annotated[
            Path | None, typer.Option(help="Default: asked for, or read from standard input.")
        ] = None,
        name: Annotated[str, typer.Option(help="Of the context; default: the address.")] = "",
        tenant: Annotated[str, typer.Option(help="Meant where a reference names none.")] = "",
    ) -> None:
        """Keeps a token for an Atoll, once that has said whose it is."""
        made = Context(base(url), _token(token_file), tenant, name or urlsplit(base(url)).netloc)
        _check(made)
        shell.context = made
        with Atoll(made.url, made.token, patience=PATIENCE, transport=shell.transport) as atoll:
            me = atoll.get("/me")
        contexts.change(lambda config: config.having(made))
        write(f"signed in to {made.url} as {me['username']} (context {made.name})")

    def logout(name: Annotated[str, typer.Argument(metavar="[CONTEXT]")] = "") -> None:
        """Forgets the token of a context, the current one where none is named; 'token revoke' ends it."""
        found = name or contexts.read().current
        if found not in contexts.read().contexts:
            raise Misconfigured(f"there is no context {found!r}: see 'atoll context list'")
        contexts.change(lambda config: config.without(found))
        write(f"forgot {found}; its token still works until it expires or is revoked")

    def whoami(output: OutputOption = None, context: ContextOption = "") -> None:
        """Tells whom the token speaks for, how far it reaches, and where."""
        with shell.connect(context) as atoll:
            me = atoll.get("/me")
            if output and output is not Format.TABLE:
                show([(me["username"], me)], output, "me", one=True)
                return
            _tell(me, atoll.url)

    return {"login": login, "logout": logout, "whoami": whoami}


def context_commands() -> dict[str, Callable[..., None]]:
    """By name."""

    def list_() -> None:
        """Lists the contexts; the current one is marked."""
        config = contexts.read()
        rows = [["*" if n == config.current else "", n, c.url, c.tenant] for n, c in config.contexts.items()]
        lines(["current", "name", "url", "tenant"], rows)

    def use(name: Annotated[str, typer.Argument(show_default=False)]) -> None:
        """Makes a context the current one."""
        contexts.find(name)
        contexts.change(lambda config: Config(name, config.contexts))
        write(f"context {name} is current")

    def tenant(name: Annotated[str, typer.Argument(show_default=False)]) -> None:
        """Names the tenant that is meant where a reference of the current context names none."""
        found = contexts.read()
        if found.current not in found.contexts:
            raise Misconfigured(contexts.NOBODY)

        def change(config: Config) -> Config:
            one = config.contexts[config.current]
            return config.having(Context(one.url, one.token, name, one.name))

        contexts.change(change)
        write(f"context {found.current}: tenant {name}")

    return {"list": list_, "use": use, "tenant": tenant}


def _check(made: Context) -> None:
    if not _NAME.fullmatch(made.name):
        raise Misconfigured(f"--name {made.name!r}: give letters, digits, '.', '_', ':' and '-'")
    if made.url.startswith("http:") and urlsplit(made.url).hostname not in _LOCAL:
        note("warning: without https the token can be read on its way")


def _tell(me: Object, url: str) -> None:
    write(f"{me['username']} at {url}" + (" (read only)" if me.get("readOnly") else ""))
    rows = [[str(one["tenant"]), str(one["role"])] for one in me["tenants"]]
    if me.get("platformRole"):
        rows.insert(0, ["(platform)", me["platformRole"]])
    lines(["tenant", "role"], rows)


def _token(file: Path | None) -> str:
    if file:
        return contexts.read_token(file)
    text = typer.prompt("Token", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    return contexts.checked_token(text.strip(), "standard input")
