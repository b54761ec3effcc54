"""Specs as they were written: how they are told again, and how two of them differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def echo(text: str, read: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The spec as it was written (``text``), but for fields that were changed elsewhere since.

    ``read`` is what the text meant when it was written, silences filled in, ``now`` what is in force.
    A field that a later release added, so that ``read`` does not know it, was not changed by anybody.
    """
    if not text:
        return dict(now)
    written: dict[str, Any] = json.loads(text)
    moved = {key: value for key, value in now.items() if key in read and read[key] != value}
    return {**written, **moved}


def differences(old: Any, new: Any, path: str = "spec") -> tuple[tuple[str, Any, Any], ...]:  # noqa: ANN401 - JSON
    """Path, old and new value of each field that differs; ``None`` where there is none. ``path`` is put before."""
    if isinstance(old or {}, dict) and isinstance(new or {}, dict) and (old or new):
        old, new = old or {}, new or {}
        keys = [*old, *(key for key in new if key not in old)]
        nested = (differences(old.get(key), new.get(key), f"{path}.{key}".lstrip(".")) for key in keys)
        return tuple(change for changes in nested for change in changes)
    return () if old == new else ((path, old, new),)
