"""Patterns that cost little whatever they are tried on: a row of character classes, each with a count.

No groups, alternatives, look-arounds or references: what remains of a regular expression can
be matched in no more ways than the product of its counts, and that product is bounded.
"""

from __future__ import annotations

import re
from math import prod
from typing import Final

TEXT_MAX: Final = 200
WAYS_MAX: Final = 100_000
"""In how many ways a pattern may be laid over a text before it is told that it does not fit."""

_ATOM: Final = r"(?:\[[A-Za-z0-9 _.:/@+=,-]+\]|\\[.+dw/-]|[A-Za-z0-9 _:/@=,-])"
_COUNT: Final = r"(?:[*+?]|\{[0-9]{1,3}(?:,[0-9]{1,3})?\})"
_PART: Final = re.compile(rf"{_ATOM}({_COUNT})?")
_WHOLE: Final = re.compile(rf"\^(?:{_ATOM}{_COUNT}?)+\$")


def fault(pattern: str, longest: int) -> str:
    """Why a pattern is not taken for texts of at most ``longest`` characters; empty when it is."""
    if len(pattern) > TEXT_MAX:
        return f"it has more than {TEXT_MAX} characters: use an enum, or several parameters"
    if not _WHOLE.fullmatch(pattern):
        return (
            "give ^, a row of characters or classes such as [a-z0-9-] with *, +, ? or {1,20}, and $:"
            " groups and alternatives are not taken"
        )
    try:
        re.compile(pattern)
    except re.error as error:
        return f"it cannot be read: {error}"
    ways = prod(_choices(found.group(1), longest) for found in _PART.finditer(pattern[1:-1]))
    return (
        f"it can be tried in {ways} ways, more than {WAYS_MAX}: repeat fewer of its parts, or lower maxLength"
        if ways > WAYS_MAX
        else ""
    )


def _choices(count: str | None, longest: int) -> int:
    """How many lengths a part can have in a text of ``longest`` characters."""
    if count is None:
        return 1
    if count == "?":
        return 2
    if count in {"*", "+"}:
        return longest + 1
    least, _, most = count[1:-1].partition(",")
    return max(1, min(longest, int(most or least)) - int(least) + 1)
