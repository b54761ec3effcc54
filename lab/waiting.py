"""Waiting with an end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from lab.errors import LabError, StoppedError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

LOOK_EVERY: Final = 0.1  # seconds


def until(
    condition: Callable[[], bool],
    what: str,
    *,
    seconds: float,
    stop: threading.Event,
    hint: str = "",
) -> None:
    """Return as soon as ``condition`` holds; an OSError in it means "not yet".

    Raises LabError naming ``what`` and ``hint`` after ``seconds``, StoppedError
    when ``stop`` is set meanwhile.
    """
    end = time.monotonic() + seconds
    while not _holds(condition):
        if stop.is_set():
            raise StoppedError
        if time.monotonic() > end:
            raise LabError(f"{what}: not after {seconds:.0f} s{'; ' if hint else ''}{hint}")
        stop.wait(LOOK_EVERY)


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except OSError:
        return False
