"""The only place that starts a process: a program that dies with us, with the lease, or at its deadline."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provisioner.ports import Guard

GRACE: Final = 3.0
"""Seconds between asking a program to end and ending it."""
_LOOK: Final = 0.25
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    output: bytes
    errors: bytes
    overdue: bool
    """Whether it was ended at its deadline."""


async def run(
    argv: Sequence[str], *, stdin: bytes | None, environment: Mapping[str, str], deadline: float, guard: Guard
) -> Ended:
    """Runs a program in a session of its own; raises ``LeaseLost`` after ending it when the lease goes.

    To be awaited in the main thread: the kernel ends the program when the thread that started it ends.
    """
    guard.check()
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
        start_new_session=True,
        preexec_fn=_die_with(os.getpid()),
    )
    talk = asyncio.ensure_future(process.communicate(stdin))
    try:
        overdue = await _watch(talk, deadline, guard)
        if overdue:
            await _end(process)
        output, errors = await talk
    finally:
        # A lost lease, a time limit, a shutdown: whatever it is, no program stays behind.
        await _end(process)
        _close(process)
    return Ended(process.returncode or 0, output, errors, overdue)


async def _watch(talk: asyncio.Future[tuple[bytes, bytes]], deadline: float, guard: Guard) -> bool:
    """Until the program has ended or is overdue."""
    loop = asyncio.get_running_loop()
    until = loop.time() + deadline
    while not talk.done():
        if loop.time() >= until:
            return True
        await asyncio.wait({talk}, timeout=_LOOK)
        if not talk.done():
            guard.check()
    return False


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ends the program and all it started: asked first, then made to."""
    if process.returncode is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            _signal(process.pid, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), GRACE)
    _signal(process.pid, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _close(process: asyncio.subprocess.Process) -> None:
    """Its pipes, which asyncio leaves open when the talk over them was cut short."""
    transport: asyncio.SubprocessTransport = process._transport  # type: ignore[attr-defined]  # noqa: SLF001
    transport.close()


def _die_with(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            # The parent died before the kernel knew that we should go with it.
            os._exit(1)

    return prepare
