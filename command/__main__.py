"""``python -m command``: the commands, inside the virtual environment."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

from command import arguments
from command.terminal import CommandError, complain
from lab.errors import LabError

MODULES: Final = {
    "up": "command.up",
    "down": "command.down",
    "status": "command.status",
    "reset": "command.reset",
    "logs": "command.logs",
    "lab": "command.lab",
    "admin": "command.admin",
    "host": "command.hosts",
    "attest": "command.attest",
    "audit": "command.audit",
    "test": "command.testing",
    "bench": "command.bench.create",
}
"""Each has ``run(arguments) -> exit status`` and is imported only when asked for."""


def main(argv: list[str]) -> int:
    """Runs one command; faults that a person can mend are told without a trace."""
    asked = arguments.parse(argv)
    try:
        return int(import_module(MODULES[asked.command]).run(asked))
    except (CommandError, LabError) as error:
        complain(str(error))
        return getattr(error, "status", 1)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
