"""``python -m atoll_client``, and the program ``atoll`` of an installation."""

from __future__ import annotations

import sys

from atoll_client.cli.main import main


def run() -> int:
    """The exit status."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
