"""Ways into a cluster, and waiting for one."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atoll_client import credentials, kubeconfig, waiting
from atoll_client.atoll import cluster as address
from atoll_client.cli import wishes
from atoll_client.cli.making import ContextOption, OutputOption, TimeoutOption
from atoll_client.cli.output import Format, show, write
from atoll_client.cli.progress import told
from atoll_client.cli.shell import note
from atoll_client.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll_client.cli.shell import Shell

ReferenceArgument = Annotated[str, typer.Argument(metavar="[TENANT/]NAME", show_default=False)]


class Goal(enum.StrEnum):
    """What is waited for."""

    READY = "ready"
    GONE = "gone"


def commands(shell: Shell) -> dict[str, Callable[..., None]]:
    """By name."""

    def wait(
        reference: ReferenceArgument,
        goal: Annotated[Goal, typer.Option("--for", help="What is waited for.")] = Goal.READY,
        timeout: TimeoutOption = "10m",
        output: OutputOption = None,
        context: ContextOption = "",
    ) -> None:
        """Waits until a cluster is ready at its last change, or gone; stops at once where that is in vain."""
        with shell.connect(context) as atoll:
            tenant, name = named(shell, reference)
            shell.resume = f"it goes on; look again: atoll cluster wait {tenant}/{name} --for {goal}"
            path, limit = address(tenant, name), wishes.duration(timeout)
            with told(f"cluster {tenant}/{name}", output) as seen:
                if goal is Goal.GONE:
                    waiting.gone(atoll, path, timeout=limit, seen=seen)
                    found = {"metadata": {"tenant": tenant, "name": name}, "gone": True}
                else:
                    found = waiting.ready(atoll, path, timeout=limit, seen=seen)
            if goal is Goal.GONE and shell.context:
                credentials.forget(shell.context, tenant, name)
            if output in {None, Format.TABLE} and (goal is Goal.GONE or output is None):
                write(f"cluster {tenant}/{name} is {goal}")
            else:
                show([(f"{tenant}/{name}", found)], output or Format.TABLE, "cluster", one=True)

    def kubeconfig_(
        reference: ReferenceArgument,
        file: Annotated[
            Path | None,
            typer.Option("--file", "-f", help="Default: $KUBECONFIG, else ~/.kube/config; - prints it."),
        ] = None,
        use: Annotated[
            bool, typer.Option("--use/--no-use", help="Make it the file's current context.")
        ] = True,
        lifetime: Annotated[
            str,
            typer.Option(help="A token in the file for so long (10m to 1h), instead of this program."),
        ] = "",
        context: ContextOption = "",
    ) -> None:
        """Adds a cluster to a kubeconfig; kubectl then asks this program for short-lived tokens as it needs them."""
        with shell.connect(context) as atoll:
            tenant, name = named(shell, reference)
            if lifetime:
                text = atoll.kubeconfig(tenant, name, lifetime).text
                made = wishes.parsed(text)
            else:
                assert shell.context is not None  # noqa: S101 - connect has set it
                access = credentials.obtain(atoll, shell.context, tenant, name, anew=True)
                made = kubeconfig.entry(shell.context, tenant, name, access.cluster, shell.program)
        if str(file) == "-":
            write(kubeconfig.dump(made).rstrip())
            return
        path = file or kubeconfig.default_path()
        kubeconfig.merge(path, made, use=use)
        title = made["current-context"]
        write(str(path))
        switch = "" if use else f" --context '{title}'"
        note(f"context {title} is in it; try: kubectl --kubeconfig {path}{switch} get namespaces")

    return {"wait": wait, "kubeconfig": kubeconfig_}


def kube_credential(shell: Shell) -> Callable[..., None]:
    """What kubectl runs."""

    def run(reference: ReferenceArgument, context: ContextOption = "") -> None:
        """Prints a token for a cluster as kubectl's exec plugins do; kubeconfigs of 'cluster kubeconfig' call it."""
        with shell.connect(context, patience=30) as atoll:
            tenant, name = named(shell, reference)
            assert shell.context is not None  # noqa: S101 - connect has set it
            access = credentials.obtain(atoll, shell.context, tenant, name)
        show([("", access.document())], Format.JSON, "", one=True)

    return run


def named(shell: Shell, reference: str) -> tuple[str, str]:
    """Tenant and name."""
    parts = wishes.parts(reference)
    if len(parts) == 1 and shell.context and shell.context.tenant:
        parts = [shell.context.tenant, *parts]
    if len(parts) != 2:  # noqa: PLR2004 - tenant and name
        raise Misconfigured(f"{reference!r} is no cluster: give TENANT/NAME, as in demo/first")
    return parts[0], parts[1]
