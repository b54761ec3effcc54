"""Ways into a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atoll_client import credentials, kubeconfig
from atoll_client.cli import wishes
from atoll_client.cli.making import ContextOption
from atoll_client.cli.output import Format, show, write
from atoll_client.cli.shell import note
from atoll_client.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll_client.cli.shell import Shell

ReferenceArgument = Annotated[str, typer.Argument(metavar="[TENANT/]NAME", show_default=False)]


def commands(shell: Shell) -> dict[str, Callable[..., None]]:
    """By name."""

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

    return {"kubeconfig": kubeconfig_}


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
