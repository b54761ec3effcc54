"""``./atoll host``: a cluster of one's own carries virtual clusters, and stays as helm/host makes it."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from command import database, host, host_choice, host_keeper, keeping, single, surroundings
from command import home as homes
from command.arguments import DEFAULT_PORT
from command.terminal import CommandError, say, show, step

if TYPE_CHECKING:
    import argparse

    from command.home import Home


def run(asked: argparse.Namespace) -> int:
    """Raises CommandError that names what the cluster or Atoll refused."""
    return _keep(asked) if asked.verb == "keep" else _add(asked)


def _add(asked: argparse.Namespace) -> int:
    home = homes.find()
    home.prepare()
    kubeconfig = host_choice.readable(asked.kubeconfig, "--kubeconfig")
    choice = host_choice.HostChoice(asked.name, kubeconfig, asked.exposure)
    environment = surroundings.make(home, DEFAULT_PORT)
    registration = host_keeper.registration(home, choice)
    database.migrate(home, environment)
    database.manage(environment, "register_host", *registration, "--check")  # before the cluster is touched
    with step(f"installing helm/host with {kubeconfig}"):
        admin = host.Admin(kubeconfig, host_keeper.helm(home, choice), home)
        ends = host.prepare(admin, asked.name)
    show(database.manage(environment, "register_host", *registration).strip())
    show(
        f"its credential, {home.host_kubeconfig(asked.name)}, ends {ends:%Y-%m-%d}; this command makes a new one"
    )
    return 0


def _keep(asked: argparse.Namespace) -> int:
    """Serves in the foreground, until it is told to stop."""
    home = homes.find()
    home.prepare()
    kubeconfig = host_choice.readable(asked.kubeconfig, "--kubeconfig")
    token = host_choice.readable(asked.token or home.token("admin"), "--token")
    atoll = keeping.Atoll((asked.url or _here(home)).rstrip("/"), token)
    choice = host_choice.HostChoice(asked.name, kubeconfig, "")
    admin = host.Admin(kubeconfig, host_keeper.helm(home, choice), home)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    atoll.check(asked.name)  # a wrong token or name is told at once
    say(f"host {asked.name}: kept as helm/host of this checkout says, with {kubeconfig}")
    keeping.Keeper(atoll, admin, asked.name, None, stop).run()
    return 0


def _here(home: Home) -> str:
    found = single.serving(home)
    if found is None:
        raise CommandError(f"no Atoll runs with {home.root}: say where it is with --url and --token", 2)
    return found.url
