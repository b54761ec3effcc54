"""The services of one machine and how each is started."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from command.database import MANAGE
from command.ports import ADDRESS
from command.service import Service

if TYPE_CHECKING:
    import argparse

    from command.home import Home

CONCURRENCY: Final = 4
LAB: Final = "lab"


def portal(port: int) -> Service:
    """API and web pages."""
    address = ("--host", ADDRESS, "--port", str(port), "--http", "portal.server:Protocol")
    options = (*address, "--no-proxy-headers", "--no-access-log", "--timeout-graceful-shutdown", "3")
    return Service("portal", (sys.executable, "-m", "uvicorn", "portal.asgi:application", *options))


def relay() -> Service:
    """Rings for due work."""
    return Service("relay", (*MANAGE, "relay"))


def worker() -> Service:
    """Makes it so; its passes are short and end by themselves."""
    return Service("worker", (*MANAGE, "worker", "--concurrency", str(CONCURRENCY)), stop_seconds=50)


def lab(home: Home, asked: argparse.Namespace) -> Service:
    """The embedded host cluster."""
    options = []
    if asked.gpus is not None:
        options += ["--gpus", str(asked.gpus)]
    if asked.fake_nodes is not None:
        options += ["--fake-nodes", str(asked.fake_nodes)]
    argv = (sys.executable, "-m", "lab", "--home", str(home.root), "up", "--foreground", *options)
    return Service(LAB, argv, stop_seconds=60)
