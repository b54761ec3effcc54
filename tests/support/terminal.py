"""A program at a terminal of its own, as a person has it: what it shows there, and what is typed."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROWS, COLUMNS = 30, 120
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
CTRL_C = b"\x03"
_TAKES_IT = "import fcntl, os, sys, termios as t; fcntl.ioctl(0, t.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
"""Makes the terminal the program's own, so that Ctrl-C becomes its SIGINT."""


class Terminal:
    """What the program wrote so far; ``program.stdout`` is a pipe where that was asked for."""

    def __init__(self, program: subprocess.Popen[bytes], master: int) -> None:
        self.program, self._master = program, master
        self.raw = ""

    @property
    def shown(self) -> str:
        """All that ever stood there, without what moves the cursor and colours."""
        return _CONTROL.sub("", self.raw)

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def until(self, words: str, seconds: float = 30) -> None:
        """Reads until the words were shown."""
        end = time.monotonic() + seconds
        while words not in self.shown:
            assert time.monotonic() < end, self.shown
            self._read(0.2)

    def ended(self, seconds: float = 30) -> int:
        """Reads to the end; the status."""
        end = time.monotonic() + seconds
        while self.program.poll() is None:
            assert time.monotonic() < end, self.shown
            self._read(0.1)
        while self._read(0):
            pass
        return self.program.wait()

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            found = os.read(self._master, 65536)
        except OSError:  # nobody is at the other end any more
            return False
        self.raw += found.decode(errors="replace")
        return bool(found)


@contextmanager
def at_a_terminal(
    argv: list[str], environment: Mapping[str, str], *, piped: bool = False
) -> Iterator[Terminal]:
    """``piped`` takes standard output from the terminal, as ``… | jq`` does."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    program = subprocess.Popen(
        [sys.executable, "-c", _TAKES_IT, *argv],
        env={**environment, "TERM": "xterm-256color"},
        stdin=slave,
        stdout=subprocess.PIPE if piped else slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(program, master)
    finally:
        program.kill()
        program.wait()
        if program.stdout is not None:
            program.stdout.close()
        os.close(master)
