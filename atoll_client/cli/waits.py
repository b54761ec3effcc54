"""Waiting for an object of any kind, until it is ready or gone."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from atoll_client import credentials, waiting
from atoll_client.cli import wishes
from atoll_client.cli.making import ContextOption, OutputOption, TimeoutOption
from atoll_client.cli.output import Format, show, write
from atoll_client.cli.progress import told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll_client.cli.shell import Shell
    from atoll_client.document import Api


class Goal(enum.StrEnum):
    """What is waited for."""

    READY = "ready"
    RUNNING = "running"
    """Ready, and a cluster's add-ons run."""
    GONE = "gone"


def command(shell: Shell, api: Api, noun: str) -> Callable[..., None]:
    """Waits for objects of this noun."""
    verbs = api.verbs[noun, "get"]

    def wait(
        reference: str,
        goal: Annotated[
            Goal, typer.Option("--for", help="What is waited for; running: a cluster's add-ons, too.")
        ] = Goal.READY,
        timeout: TimeoutOption = "10m",
        output: OutputOption = None,
        context: ContextOption = "",
    ) -> None:
        with shell.connect(context) as atoll:
            tenant = shell.context.tenant if shell.context else ""
            verb, values = wishes.choose(verbs, wishes.parts(reference), tenant)
            named, path, limit = "/".join(values), wishes.address(verb, values), wishes.duration(timeout)
            shell.resume = f"it goes on; look again: atoll {noun} wait {named} --for {goal}"
            with told(f"{noun} {named}", output) as seen:
                if goal is Goal.GONE:
                    waiting.gone(atoll, path, timeout=limit, seen=seen)
                    found = {"metadata": dict(zip(verb.parameters, values, strict=True)), "gone": True}
                else:
                    look = waiting.running if goal is Goal.RUNNING else waiting.ready
                    found = look(atoll, path, timeout=limit, seen=seen)
            if goal is Goal.GONE and noun == "cluster" and shell.context:
                _forget(shell, values)
            if output in {None, Format.TABLE} and (goal is Goal.GONE or output is None):
                write(f"{noun} {named} is {goal}")
            else:
                show([(named, found)], output or Format.TABLE, noun, one=True)

    wait.__doc__ = ABOUT
    shape = typer.Argument(metavar=wishes.shape(verbs), show_default=False)
    wait.__annotations__["reference"] = Annotated[str, shape]  # which differs from noun to noun
    return wait


ABOUT = "Waits until it is ready at its last change, or gone; stops at once where that is in vain."


def _forget(shell: Shell, values: Sequence[str]) -> None:
    """Credentials of a cluster that is gone are for nothing."""
    assert shell.context is not None  # noqa: S101 - connect has set it
    credentials.forget(shell.context, values[0], values[1])
