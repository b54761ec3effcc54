"""One DNS question over UDP, to see with this machine's own eyes that ClusterIPs and DNS work."""

from __future__ import annotations

import secrets
import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ipaddress import IPv4Address

QUESTION: Final = "kubernetes.default.svc.cluster.local"
TIMEOUT: Final = 1.0  # seconds
PORT: Final = 53


def query(name: str, number: int) -> bytes:
    """Give the packet that asks for the address of ``name``."""
    header = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return header + labels + b"\0" + struct.pack(">HH", 1, 1)


def answers(server: IPv4Address, name: str = QUESTION, port: int = PORT) -> bool:
    """Tell whether ``server`` gives an address for ``name`` within TIMEOUT; OSError when it says nothing."""
    number = secrets.randbelow(1 << 16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(TIMEOUT)
        channel.connect((str(server), port))
        channel.send(query(name, number))
        answer = channel.recv(4096)
    got, flags, _, records = struct.unpack(">HHHH", answer[:8])
    return bool(got == number and flags & 0x000F == 0 and records > 0)
