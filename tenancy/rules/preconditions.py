"""Entity tags: what a writer believed when it decided to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenancy.errors import PreconditionFailed

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True)
class Expectation:
    """What the writer believes: ``If-Match`` and ``If-None-Match: *``."""

    etags: frozenset[str] | None = None
    """It must exist with one of these tags (``*`` for any)."""
    absent: bool = False
    """It must not exist."""


ANYTHING = Expectation()
"""Of a writer who does not care."""


def etag(uid: UUID, generation: int) -> str:
    """Identifies the spec: changes with every change of the wish and with nothing else."""
    return f'"{uid}-{generation}"'


def meet(expected: Expectation, tag: str | None) -> None:
    """Raises ``PreconditionFailed`` unless the object is as the writer believes; no ``tag``: it does not exist."""
    if expected.absent and tag is not None:
        raise PreconditionFailed("it exists already, and If-None-Match asked for a new one")
    if expected.etags is not None and (tag is None or not expected.etags & {tag, "*"}):
        found = tag or "none, as it does not exist"
        raise PreconditionFailed(f"If-Match does not fit: the ETag is {found}. Read it again, then decide")
