"""``./atoll admin create NAME``: the first admin of an installation."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from command import database, surroundings
from command import home as homes
from command.arguments import DEFAULT_PORT

if TYPE_CHECKING:
    import argparse


def run(asked: argparse.Namespace) -> int:
    """Asks for the password at the terminal, or reads one line."""
    home = homes.find()
    home.prepare()
    environment = surroundings.make(home, DEFAULT_PORT)
    database.migrate(home, environment)
    argv = [*database.MANAGE, "create_admin", asked.username]
    return subprocess.run(argv, env=environment, check=False).returncode  # noqa: S603 - our own argument list
