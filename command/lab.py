"""``./atoll lab …``: the lab alone, in this home; the lab's own command does it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from command import home as homes
from lab.__main__ import main as lab_main

if TYPE_CHECKING:
    import argparse


def run(asked: argparse.Namespace) -> int:
    """What ``python -m lab --home $ATOLL_HOME`` gives."""
    home = homes.find()
    home.prepare()
    sys.argv[0] = "./atoll lab"
    return lab_main(["--home", str(home.root), asked.verb, *_words(asked)])


def _words(asked: argparse.Namespace) -> list[str]:
    if asked.verb == "load":
        return [str(asked.file)]
    if asked.verb == "status":
        return ["--json"] if asked.json else []
    words = []
    for name in ("gpus", "fake_nodes"):
        if getattr(asked, name, None) is not None:
            words += [f"--{name.replace('_', '-')}", str(getattr(asked, name))]
    return words
