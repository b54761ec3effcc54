"""Packets that no program in a pod can send or see: other protocols than TCP and ICMP, from and at the pods' own interfaces."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.shell import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROTOCOLS = {17: "udp", 132: "sctp", 47: "gre"}
PORT = 8080

# One flow of each protocol to each address, a packet every fifth of a second.
_SENDS = """
import socket, struct, sys, time
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
raw = {p: socket.socket(socket.AF_INET, socket.SOCK_RAW, p) for p in (132, 47)}
words = {132: struct.pack('!HHIIBBH', 5000, 8080, 1, 0, 10, 0, 4), 47: bytes(8)}
while True:
    for address in sys.argv[1:]:
        for send, data in ((udp, b'x'), *((raw[p], words[p]) for p in raw)):
            try:
                send.sendto(data, (address, 8080))
            except OSError:
                pass
    time.sleep(0.2)
"""

# Prints protocol and sender of what comes in.
_HEARS = """
import socket
with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as wire:
    while True:
        data, where = wire.recvfrom(2048)
        if where[2] == socket.PACKET_HOST:
            print(data[9], socket.inet_ntoa(data[12:16]), flush=True)
"""


def inside(address: str) -> list[str]:
    """The start of a command line that runs in the network of the pod with this address; of runc's pods only."""
    for found in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError, LabError):
            if found.read_text().strip() != "pause":
                continue
            enter = ["nsenter", f"--net={found.parent}/ns/net", "--"]
            if f" {address}/" in run([*enter, "ip", "-o", "-4", "address"]):
                return enter
    msg = f"no pod with address {address}"
    raise AssertionError(msg)


class Wire:
    """What one pod's interface hears."""

    def __init__(self, address: str) -> None:
        words = [*inside(address), sys.executable, "-c", _HEARS]
        self.process = Popen(words, stdout=PIPE, stderr=DEVNULL, text=True)
        self.last: dict[tuple[str, str], float] = {}
        self.listener = threading.Thread(target=self._listen)
        self.listener.start()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            protocol, sender = line.split()
            self.last[(PROTOCOLS.get(int(protocol), protocol), sender)] = time.monotonic()

    def heard(self, sender: str, within: float) -> set[str]:
        """Protocols by which this sender came through in the last seconds."""
        since = time.monotonic() - within
        return {protocol for (protocol, who), at in list(self.last.items()) if who == sender and at > since}

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.listener.join()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def flowing(source: str, addresses: Iterable[str]) -> Iterator[dict[str, Wire]]:
    """Sends from one pod's interface to others' for as long as it lasts; what each of them hears."""
    wires = {address: Wire(address) for address in addresses}
    sender = Popen([*inside(source), sys.executable, "-c", _SENDS, *wires])
    try:
        yield wires
    finally:
        sender.kill()
        sender.wait()
        for wire in wires.values():
            wire.end()
