"""Short-lived programs: argument lists, a deadline, and an end when we end."""

from __future__ import annotations

import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Final

from command.terminal import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GRACE_SECONDS: Final = 10

_running: set[subprocess.Popen[str]] = set()
_lock = threading.Lock()
_stopping = threading.Event()


class ProgramError(CommandError):
    """A program failed; ``said`` is what it wrote."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


def run(argv: Sequence[str], *, environment: Mapping[str, str], timeout: float, stdin: str = "") -> str:
    """Runs a program to its end and gives its standard output.

    Raises CommandError with what it said where it fails or takes longer than ``timeout`` seconds.
    """
    with _lock:
        if _stopping.is_set():
            raise CommandError("stopping")
        process = subprocess.Popen(  # noqa: S603 - our own argument lists
            argv,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        _running.add(process)
    try:
        return _finish(process, argv, timeout, stdin)
    finally:
        _running.discard(process)
        _end(process)


def stop_all() -> None:
    """Ends what still runs and refuses new ones: Helm leaves a proper record when it is asked to end."""
    with _lock:
        _stopping.set()
    for process in list(_running):
        _end(process)


def _finish(process: subprocess.Popen[str], argv: Sequence[str], timeout: float, stdin: str) -> str:
    name = " ".join(argv[:4])
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise CommandError(f"{name} …: no end after {timeout:.0f} s") from None
    if process.returncode:
        said = (err or out).strip()
        message = f"{name} … failed (exit status {process.returncode}):\n{said[-3000:]}"
        raise ProgramError(message, said)
    return out


def _end(process: subprocess.Popen[str]) -> None:
    for ask in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(ask)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
