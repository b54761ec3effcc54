"""``./atoll down``: stops everything, whether its supervisor lives or was killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from command import home as homes
from command import single
from command.terminal import CommandError, say, show, step
from lab import api as lab_api

if TYPE_CHECKING:
    import argparse

    from command.home import Home

PATIENCE_SECONDS: Final = 150
LOOK_SECONDS: Final = 0.2


def run(_: argparse.Namespace) -> int:
    """Returns once nothing of this home runs."""
    home = homes.find()
    stop(home)
    show("nothing runs; the data stays in " + str(home.root))
    return 0


def stop(home: Home) -> None:
    """Ends the supervisor, then what no supervisor looks after."""
    if not home.run.is_dir():
        return
    if single.taken(home):
        _ask(home)
    single.reap(home)
    home.clear_sockets()
    if sys.platform == "linux" and os.geteuid() == 0 and home.lab.is_dir():
        if lab_api.is_running(home.root):
            say("lab: stopping")
        lab_api.down(home.root)


def _ask(home: Home) -> None:
    found = single.serving(home)
    if found is None:
        raise CommandError(
            "an ./atoll is still starting there: stop it with Ctrl-C, or try again in a moment"
        )
    with step(f"stopping process {found.process.pid}"):
        if found.process.alive:
            with suppress(ProcessLookupError):
                os.kill(found.process.pid, signal.SIGTERM)
        end = time.monotonic() + PATIENCE_SECONDS
        while single.taken(home):
            if time.monotonic() > end:
                raise CommandError(
                    f"process {found.process.pid} does not end; its services' logs are in {home.logs}"
                )
            time.sleep(LOOK_SECONDS)
