"""The lab that many tests share: made for the first of them, gone after the last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab import api

if TYPE_CHECKING:
    from collections.abc import Callable

SHARING: Final = ("tests/contract/", "tests/isolation/", "tests/lab/test_cluster.py")
"""What a lab can do, and what is done on it."""

_running: list[Path] = []


def home(make: Callable[[], Path]) -> Path:
    """Of the lab in ``TEST_LAB_HOME``, else of one of our own: four pretend accelerators, two pretend nodes."""
    if given := os.environ.get("TEST_LAB_HOME"):
        return Path(given)
    if not _running:
        _running.append(make())
        api.up(_running[0], workers=1, gpus=4, fake_nodes=2)
    return _running[0]


def down() -> None:
    """The machine is for others then."""
    while _running:
        api.down(_running.pop())
