"""Versions of templates and ranges of them: three numbers, compared as numbers.

No pre-releases and no build metadata: what is not ready is not published.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tenancy.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBER: Final = r"(?:0|[1-9][0-9]{0,5})"
_EXACT: Final = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})")
_PARTIAL: Final = re.compile(rf"({_NUMBER})(?:\.({_NUMBER}))?(?:\.({_NUMBER}))?")
_OPERATOR: Final = re.compile(r"\^|~|>=|<=|>|<|=")
_HOW: Final = "give a version such as '1.2.0', or a range such as '^1.2', '~1.2' or '>=1.2 <2'"
TEXT_MAX: Final = 100
"""Characters of a range."""


@dataclass(frozen=True, order=True)
class Version:
    """``1.2.0``; six digits a number at most."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


_FIRST: Final = Version(0, 0, 0)
_BEYOND: Final = Version(1_000_000, 0, 0)
"""Above every version that can be written."""


@dataclass(frozen=True)
class Range:
    """All versions from ``least`` on that are below ``below``."""

    text: str
    """As written."""
    least: Version
    below: Version
    pinned: bool = False
    """One version, by its name: it is never left by itself."""

    def __contains__(self, version: Version) -> bool:
        return self.least <= version < self.below


def parse_version(text: object) -> Version:
    """Raises ``ValueError`` that says what to write."""
    found = _EXACT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("give three numbers such as '1.2.0'")
    return _padded([int(part) for part in found.groups()])


def to_publish(text: str) -> Version:
    """The name of a version that somebody publishes; raises ``Invalid`` that names the field."""
    try:
        return parse_version(text)
    except ValueError as error:
        fault = FieldError("metadata.version", "not-a-version", str(error))
        raise Invalid(str(error), errors=(fault,)) from error


def parse_range(text: object) -> Range:
    """One version, or a range in npm's spelling; raises ``ValueError`` that says what to write."""
    if not isinstance(text, str) or not text.strip() or len(text) > TEXT_MAX:
        raise ValueError(_HOW)
    if _EXACT.fullmatch(text):
        version = parse_version(text)
        return Range(text, version, replace(version, patch=version.patch + 1), pinned=True)
    least, below = _FIRST, _BEYOND
    for word in text.split():
        low, high = _interval(word)
        least, below = max(least, low), min(below, high)
    if least >= below:
        msg = f"no version is in {text!r}: its parts contradict each other"
        raise ValueError(msg)
    return Range(text, least, below)


def newest(wanted: Range, versions: Iterable[Version]) -> Version | None:
    """The highest version of the range; ``None`` where none is in it."""
    return max((version for version in versions if version in wanted), default=None)


def _interval(word: str) -> tuple[Version, Version]:
    """From, and up to: of one comparator."""
    found = _OPERATOR.match(word)
    parts = _PARTIAL.fullmatch(word[found.end() :]) if found else None
    if found is None or parts is None:
        hint = f"; for every {word}.x write '~{word}'" if _PARTIAL.fullmatch(word) else ""
        msg = f"{word!r} is no range: {_HOW}{hint}"
        raise ValueError(msg)
    given = [int(part) for part in parts.groups() if part is not None]
    low, high = _padded(given), _next(given, len(given) - 1)
    return {
        "^": (low, _next(given, _first_counting(given))),
        "~": (low, _next(given, min(1, len(given) - 1))),
        ">=": (low, _BEYOND),
        ">": (high, _BEYOND),
        "<": (_FIRST, low),
        "<=": (_FIRST, high),
        "=": (low, high),
    }[found.group()]


def _first_counting(given: list[int]) -> int:
    """The place that may not change under ``^``: the first that is not 0, else the last that was given."""
    return next((place for place, number in enumerate(given) if number), len(given) - 1)


def _next(given: list[int], place: int) -> Version:
    """The first version with another number in this place."""
    return _padded([*given[:place], given[place] + 1])


def _padded(given: list[int]) -> Version:
    major, minor, patch, *_ = [*given, 0, 0]
    return Version(major, minor, patch)
