"""``./atoll host add NAME --kubeconfig PATH``: a cluster of one's own carries virtual clusters from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from command import database, host, host_choice, host_keeper, surroundings
from command import home as homes
from command.arguments import DEFAULT_PORT
from command.terminal import show, step

if TYPE_CHECKING:
    import argparse


def run(asked: argparse.Namespace) -> int:
    """Raises CommandError that names what the cluster or Atoll refused."""
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
