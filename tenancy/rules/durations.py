"""Spans of time as people write them: ``30s``, ``10m``, ``1h``."""

from __future__ import annotations

from typing import Final

PATTERN: Final = "[0-9]{1,5}[smh]"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> int:
    """Of a text that fits the pattern."""
    return int(text[:-1]) * _UNITS[text[-1]]
