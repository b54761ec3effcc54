"""What the scopes of a token come to: ``clusters:read``, and with wildcards ``*:read`` or ``clusters:*``."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

ANY: Final = "*"
EVERYTHING: Final = ("*:*",)
"""Of a token for which nobody named any, and of people in the browser."""
READ_ONLY: Final = ("*:read", Scope.KUBECONFIGS_CREATE.value)
"""Of a token with ``readOnly``: it can look, also into clusters."""


def _patterns() -> tuple[str, ...]:
    resources, verbs = zip(*(scope.split(":") for scope in Scope), strict=True)
    wide = {f"{resource}:{ANY}" for resource in resources} | {f"{ANY}:{verb}" for verb in (*verbs, ANY)}
    return (*sorted(wide), *sorted(scope.value for scope in Scope))


PATTERNS: Final = _patterns()
"""Everything that may be written where scopes are asked for."""


@lru_cache(maxsize=1024)
def held(patterns: tuple[str, ...], *, read_only: bool = False) -> frozenset[Scope]:
    """The scopes that a token with these patterns has in this release."""
    found = frozenset(scope for scope in Scope if covers(patterns, scope))
    return found & held(READ_ONLY) if read_only else found


def covers(patterns: Iterable[str], wanted: str) -> bool:
    """Whether what is wanted, a wildcard perhaps, lies within one of the patterns, in later releases too."""
    return any(
        all(mine in {ANY, theirs} for mine, theirs in zip(one.split(":"), wanted.split(":"), strict=True))
        for one in patterns
    )


def uncovered(patterns: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """What of the wanted lies outside the patterns."""
    mine = tuple(patterns)
    return tuple(one for one in wanted if not covers(mine, one))
