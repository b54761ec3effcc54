"""``./atoll audit export`` and ``./atoll audit verify``: the audit log taken away, and checked where it was taken."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from command import audit_verify, database, surroundings
from command import home as homes
from command.arguments import DEFAULT_PORT

if TYPE_CHECKING:
    import argparse


def run(asked: argparse.Namespace) -> int:
    """The exit status is that of ``audit_verify``; for an export 0 only if it is whole."""
    if asked.verb == "verify":
        return audit_verify.run(asked.bundle, asked.heads, asked.keys)
    home = homes.find()
    environment = surroundings.make(home, DEFAULT_PORT)
    argv = [*database.MANAGE, "export_audit", "--from", str(asked.first)]
    return subprocess.run(argv, env=environment, check=False).returncode  # noqa: S603 - our own argument list
