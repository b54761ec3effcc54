"""Whose turn it is to be sent something, where receivers may hang and one of many must not hold up the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

ROOM: Final = 256
"""Receivers that one sender is at, at the same time, beside those that worked and hang now: it waits for each in a thread."""


@dataclass(frozen=True)
class Waiting:
    """A webhook for which there is something to send."""

    hook: UUID
    tenant: str
    """Empty for one of the platform's."""
    failing: bool
    """It did not take what it was sent last."""


def turns(waiting: Sequence[Waiting], busy: Collection[Waiting], room: int = ROOM) -> list[Waiting]:
    """Those to begin with now, of those that wait (longest first), while a sender is at the ``busy`` ones.

    Receivers that work come before those that fail, which get half of the room at most; among equals
    tenants take turns, so that the first webhook of any tenant comes before the second one of another.
    """
    held = Counter((one.tenant, one.failing) for one in busy)
    places: list[tuple[int, Waiting]] = []
    for one in waiting:
        held[one.tenant, one.failing] += 1
        places.append((held[one.tenant, one.failing], one))
    in_turn = [one for _, one in sorted(places, key=lambda place: place[0])]
    left = max(0, room // 2 - sum(one.failing for one in busy))
    failing = [one for one in in_turn if one.failing][:left]
    return [*(one for one in in_turn if not one.failing), *failing][: max(0, room - len(busy))]
