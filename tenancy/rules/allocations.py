"""Which of a tenant's clusters get how many of its granted devices. Pure.

One class in one pool at a time. What a cluster has is not taken for another one; what is asked for
is given whole or not at all, oldest cluster first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

K = TypeVar("K", bound="Hashable")


@dataclass(frozen=True)
class Want(Generic[K]):
    """One cluster's wish and what it has, in the order in which the clusters were made."""

    cluster: K
    asked: int
    """By its spec; 0 for one that is to go or asks for none any more."""
    target: int = 0
    """What its quota on the host is to be as of now."""
    held: int = 0
    """What counts: at least ``target``."""


@dataclass(frozen=True)
class Share(Generic[K]):
    """What a cluster's quota is to be, and what it still lacks."""

    cluster: K
    target: int
    lacking: int


def assign(entitled: int, wants: Sequence[Want[K]], *, frozen: bool = False) -> tuple[Share[K], ...]:
    """The new targets, in the order of ``wants``; ``frozen`` gives nobody more.

    Lowering is never refused; what a lowered cluster still holds is given to nobody else before
    the host was seen to have it back.
    """
    kept = {w.cluster: min(w.target, w.asked) for w in wants}
    for want in reversed(wants):  # the youngest gives back first when grants shrink
        over = sum(kept.values()) - entitled
        kept[want.cluster] -= max(0, min(over, kept[want.cluster]))
    free = entitled - sum(max(w.held, kept[w.cluster]) for w in wants)
    for want in wants:
        more = want.asked - kept[want.cluster]
        # Raised again before the host gave it back: it holds that already.
        need = max(0, want.asked - max(want.held, kept[want.cluster]))
        if more > 0 and not frozen and need <= free and _whole(entitled, kept, more):
            kept[want.cluster] = want.asked
            free -= need
    return tuple(Share(w.cluster, kept[w.cluster], max(0, w.asked - kept[w.cluster])) for w in wants)


def shortfall(entitled: int, wants: Iterable[Want[K]]) -> int:
    """What grants have to add for all clusters to have what they ask for: the amount of the request that they make.

    What is granted and not in use, or still on its way back from another cluster, is not asked for again.
    """
    return max(0, sum(want.asked for want in wants) - entitled)


def _whole(entitled: int, kept: dict[K, int], more: int) -> bool:
    return sum(kept.values()) + more <= entitled
