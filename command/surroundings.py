"""The environment that Atoll's processes run in, also written down for scripts."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Final

from command import home as homes
from command.environment import CHECKOUT
from command.ports import ADDRESS

if TYPE_CHECKING:
    from command.home import Home

COMMAND_ONLY: Final = ("ATOLL_KUBECONFIG", "ATOLL_PORT")
"""The command's own: an admin's kubeconfig is no business of the services."""


def broker(home: Home) -> str:
    """The redis that we start ourselves."""
    return f"redis+socket://{home.redis_socket}"


def make(home: Home, port: int) -> dict[str, str]:
    """What the person set, and ours where they set nothing."""
    ours = {
        "ATOLL_HOME": str(home.root),
        "ATOLL_BROKER_URL": broker(home),
        "ATOLL_HELM": str(home.helm),
        "ATOLL_PUBLIC_URL": f"http://{ADDRESS}:{port}",
    }
    given = {name: value for name, value in os.environ.items() if name not in COMMAND_ONLY}
    chosen = {name: given[name] for name in ours if given.get(name) and name != "ATOLL_HOME"}
    paths = dict.fromkeys((str(CHECKOUT), *given.get("PYTHONPATH", "").split(os.pathsep)))
    return {
        **given,
        **ours,
        **chosen,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONUNBUFFERED": "1",
    }


def write(home: Home, environment: dict[str, str]) -> None:
    """``. $ATOLL_HOME/run/env`` gives a shell the same settings."""
    names = sorted(name for name in environment if name.startswith("ATOLL_"))
    lines = [f"export {name}={shlex.quote(environment[name])}" for name in names]
    homes.write(home.run / "env", "\n".join(lines) + "\n")
