"""What this process saw lately, so that a pass that only waits need not look at everything again.

Nothing hangs on it: a process that remembers nothing looks, and what is remembered
lapses within seconds, so drift is found by any later pass.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

FRESH: Final = 30.0
"""Seconds for which what was seen counts as seen."""
_MOST: Final = 10_000
"""Entries kept; beyond it the lapsed ones are swept."""


class Memory:
    """Keys with a value and the time they were seen."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seen: dict[Hashable, tuple[float, Any]] = {}

    def remember(self, *key: Hashable, value: Any = True) -> None:  # noqa: ANN401 - the caller's type
        """Notes that this was seen now."""
        if len(self._seen) >= _MOST:
            self._sweep()
        self._seen[key] = (self._clock(), value)

    def recall(self, *key: Hashable, within: float = FRESH) -> Any:  # noqa: ANN401 - the caller's type
        """What was seen, or ``None`` when it was not seen within so many seconds."""
        at, value = self._seen.get(key, (None, None))
        return value if at is not None and self._clock() - at < within else None

    def forget(self, *key: Hashable) -> None:
        """Makes the next pass look again."""
        self._seen.pop(key, None)

    def _sweep(self) -> None:
        now = self._clock()
        self._seen = {k: v for k, v in self._seen.items() if now - v[0] < FRESH}
