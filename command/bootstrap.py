"""What happens before anything is installed: look at the machine, install, hand over to ``python -m command``."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Final

from command import arguments, client, debian, environment
from command import home as homes
from command.terminal import CommandError, carry_clock, complain, show

if TYPE_CHECKING:
    import argparse

NO_HOST: Final = """\
there is nothing here that could carry virtual clusters. Three ways on:
  1. as root on Linux:        sudo ./atoll up                        (starts the embedded lab)
  2. a cluster of your own:   ATOLL_KUBECONFIG=~/.kube/config ./atoll up   (cluster-admin is needed once)
  3. containers:              docker compose up                      (k3s, PostgreSQL, Redis, portal, worker)"""
LOOKS_ONLY: Final = {"down", "status", "logs"}


def main(argv: list[str]) -> int:
    """Ends in the real command; gives a status only where that cannot be reached."""
    if arguments.for_client(argv):
        return _as_client(argv)
    wanted = arguments.parse(argv)
    if wanted.command in LOOKS_ONLY and not environment.PYTHON.exists():
        show("nothing has been installed in this checkout yet, so nothing of it runs; ./atoll up starts it")
        return 0
    # Standard output is for what programs read, where they asked for it.
    telling = redirect_stdout(sys.stderr) if getattr(wanted, "json", False) else nullcontext()
    try:
        with telling:
            _check_machine(wanted)
            debian.ensure(_packages(wanted))
            environment.ensure(development=wanted.command == "test")
    except CommandError as error:
        complain(str(error))
        return error.status
    except KeyboardInterrupt:
        return 130
    _hand_over("command", argv)
    return 1


def _as_client(argv: list[str]) -> int:
    """Standard output belongs to the client: kubectl reads it."""
    try:
        with redirect_stdout(sys.stderr):
            environment.ensure(development=False)
        os.environ.update(client.settings(homes.find(), os.environ))
    except CommandError as error:
        complain(str(error))
        return error.status
    except KeyboardInterrupt:
        return 130
    _hand_over("atoll_client", argv)
    return 1


def _check_machine(wanted: argparse.Namespace) -> None:
    if _starts_lab(wanted) and (sys.platform != "linux" or os.geteuid() != 0):
        raise CommandError(NO_HOST, 2)


def _starts_lab(wanted: argparse.Namespace) -> bool:
    if wanted.command == "lab":
        return bool(wanted.verb == "up")
    return wanted.command == "up" and not os.environ.get("ATOLL_KUBECONFIG")


def _packages(wanted: argparse.Namespace) -> dict[str, str]:
    if wanted.command == "test":
        return {**debian.for_lab(), **debian.FOR_TESTS}
    return debian.for_lab() if _starts_lab(wanted) else {}


def _hand_over(module: str, argv: list[str]) -> None:
    paths = [str(environment.CHECKOUT), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    carry_clock()
    # -P: a folder called "command" where the person stands must not be taken for ours.
    os.execv(environment.PYTHON, [str(environment.PYTHON), "-P", "-m", module, *argv])  # noqa: S606
