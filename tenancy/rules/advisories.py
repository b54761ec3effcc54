"""Known ways out of a GPU container, as data: which versions of which component, and what cures them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tenancy.enums import GpuComponent, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

Version: TypeAlias = tuple[int, ...]

# A distribution or a packaging revision may follow; "-rc.1" and the like may not, for what
# precedes a release need not have its fixes.
_VERSION: Final = re.compile(
    r"v?(\d{1,6}(?:\.\d{1,6}){1,3})"
    r"(?:-(?:\d{1,4}|(?:ubuntu|ubi|rhel|rhcos|centos|sles|sl-micro|debian|amzn|rocky|distroless)[a-z0-9._-]*))?"
)
_CVE: Final = re.compile(r"CVE-\d{4}-\d{4,7}")
_BOUND: Final = re.compile(r"(<=|>=|<|>|=)(\d[\d.]*)")
_PARTS: Final = 4
CDI: Final = "cdi"
"""The mode in which containers get devices by the Container Device Interface."""


@dataclass(frozen=True)
class Affected:
    """Versions of one component, and the first that is not affected any more."""

    component: GpuComponent
    range: str
    """Bounds that all hold, as ``>=1.17.5,<=1.17.7``."""
    fixed: str
    mode: str = ""
    """``cdi``: only where devices come by CDI, or where that is not known."""


@dataclass(frozen=True)
class Advisory:
    """One vulnerability through which a container gets out to its node."""

    cve: str
    title: str
    severity: Severity
    source: str
    affects: tuple[Affected, ...]


@dataclass(frozen=True)
class Advisories:
    """Everything that is known, and when somebody last made sure of it."""

    reviewed: date
    entries: tuple[Advisory, ...]
    fault: str = ""
    """Why an admin's own list could not be read; then nothing counts as clean."""


def version(text: str) -> Version | None:
    """``v1.17.8-ubuntu20.04`` as numbers that compare; ``None`` for digests, pre-releases and words."""
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        return None
    parts = [int(part) for part in match[1].split(".")]
    return tuple(parts + [0] * (_PARTS - len(parts)))


def within(found: Version, bounds: str) -> bool:
    """Whether a version lies in a range such as ``>=1.17.5,<=1.17.7``."""
    return all(_holds(found, operator, limit) for operator, limit in _bounds(bounds))


def parse(data: Any) -> tuple[date, tuple[Advisory, ...]]:  # noqa: ANN401 - JSON
    """A list as it is written in a file; ``ValueError`` names the entry and what is wrong with it."""
    try:
        reviewed = date.fromisoformat(data["reviewed"])
        entries = data["advisories"]
    except (KeyError, TypeError, ValueError) as error:
        msg = 'give {"reviewed": "2026-11-21", "advisories": [...]}'
        raise ValueError(msg) from error
    return reviewed, tuple(_advisory(entry, f"advisories[{i}]") for i, entry in enumerate(entries))


def _advisory(entry: Any, path: str) -> Advisory:  # noqa: ANN401 - JSON
    try:
        cve, affects = str(entry["cve"]), list(entry["affects"])
        found = Advisory(cve, str(entry["title"]), Severity(entry["severity"]), str(entry["source"]), ())
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{path}: give cve, title, severity ({', '.join(Severity)}), source and affects: {error}"
        raise ValueError(msg) from error
    if not _CVE.fullmatch(cve) or not affects:
        msg = f"{path}: {cve!r} is no CVE number, or it affects nothing"
        raise ValueError(msg)
    ranges = tuple(_affected(one, f"{path}.affects[{i}]") for i, one in enumerate(affects))
    return Advisory(found.cve, found.title, found.severity, found.source, ranges)


def _affected(entry: Any, path: str) -> Affected:  # noqa: ANN401 - JSON
    try:
        component, bounds, fixed = GpuComponent(entry["component"]), str(entry["range"]), str(entry["fixed"])
        mode = str(entry.get("mode", ""))
        tuple(_bounds(bounds))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"{path}: give component ({', '.join(GpuComponent)}), range and fixed: {error}"
        raise ValueError(msg) from error
    cure = version(fixed)
    if cure is None or within(cure, bounds) or mode not in {"", CDI}:
        msg = f"{path}: fixed must be a version outside the range, mode 'cdi' or left out"
        raise ValueError(msg)
    return Affected(component, bounds, fixed, mode)


def _bounds(text: str) -> Iterator[tuple[str, Version]]:
    for part in text.split(","):
        match = _BOUND.fullmatch(part.strip())
        limit = version(match[2]) if match else None
        if match is None or limit is None:
            msg = f"{part!r} is no bound such as '<=1.17.7'"
            raise ValueError(msg)
        yield match[1], limit


def _holds(found: Version, operator: str, limit: Version) -> bool:
    return {
        "<": found < limit,
        "<=": found <= limit,
        ">": found > limit,
        ">=": found >= limit,
        "=": found == limit,
    }[operator]
