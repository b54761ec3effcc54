"""What a host name stands for at this moment, asked of the system's resolver."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Final

from tenancy.rules import addresses

if TYPE_CHECKING:
    from tenancy.rules.addresses import Address

PATIENCE: Final = 5.0
"""Seconds; the system's own resolver may take half a minute to give up."""


def look_up(host: str, seconds: float = PATIENCE) -> tuple[Address, ...]:
    """All addresses of a name, each once; none when it has none, or nobody told in time."""
    found: list[tuple[Address, ...]] = []
    # With the dot at its end no search list makes it a name of our own network.
    asked = f"{host}." if "." in host else host
    asking = threading.Thread(target=lambda: found.append(_ask(asked)), daemon=True)
    asking.start()
    asking.join(seconds)
    return found[0] if found else ()


def _ask(host: str) -> tuple[Address, ...]:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(addresses.parse(str(answer[4][0])) for answer in answers))
