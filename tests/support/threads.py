"""Many threads that do one thing at the same moment."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from django.db import close_old_connections, connections

if TYPE_CHECKING:
    from collections.abc import Callable


def in_threads(count: int, job: Callable[[], Any], *, seconds: float = 60) -> list[Any]:
    """Runs ``job`` in so many threads at once and returns what each returned; each must return."""
    gate, results = threading.Barrier(count), []

    def body() -> None:
        close_old_connections()
        gate.wait(10)
        try:
            results.append(job())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=body) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    assert len(results) == count
    return results
