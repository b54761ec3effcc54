"""Which of a tenant's clusters get how many of its granted devices, and until when they may keep them. Pure.

One class in one pool at a time. What a cluster has is not taken for another one; what is asked for
is given whole or not at all, oldest cluster first. What is held is covered by the grants in force first,
then by those that are over, the one with the latest deadline first: so each that ends takes its own devices back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

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


@dataclass(frozen=True)
class Step:
    """From when on a cluster is to hold no more than so many; pods that hold more are ended then."""

    deadline: datetime
    devices: int


@dataclass(frozen=True)
class Ending:
    """A grant that is over, and whose devices may still be held."""

    grant: str
    amount: int
    deadline: datetime


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


def steps(
    entitled: int, endings: Iterable[Ending], wants: Sequence[Want[K]], targets: Mapping[K, int]
) -> dict[K, tuple[Step, ...]]:
    """How each cluster goes down to what is left, by the deadlines of the grants that are over.

    Only what no grant covers has a deadline: a tenant that itself wants less may let its pods run. The
    youngest cluster goes down first, none below its target.
    """
    caps = {w.cluster: max(w.held, targets[w.cluster]) for w in wants}
    found: dict[K, list[Step]] = {w.cluster: [] for w in wants}
    for ending, covered in _covered(entitled, endings):
        over = sum(caps.values()) - covered
        for want in reversed(wants):
            less = max(0, min(over, caps[want.cluster] - targets[want.cluster]))
            if less:
                over -= less
                caps[want.cluster] -= less
                found[want.cluster].append(Step(ending.deadline, caps[want.cluster]))
    return {cluster: tuple(ways) for cluster, ways in found.items()}


def came_back(entitled: int, endings: Iterable[Ending], before: int, after: int) -> dict[str, int]:
    """Whose devices they are that a tenant's clusters held and do not any more: grant that is over → how many."""
    shares = {
        ending.grant: min(before, covered + ending.amount) - max(after, covered)
        for ending, covered in _covered(entitled, endings)
    }
    return {grant: amount for grant, amount in shares.items() if amount > 0}


def is_back(grant: str, entitled: int, endings: Iterable[Ending], held: int) -> bool:
    """Whether all that is held is covered by other grants than this one, which is over."""
    covered = {ending.grant: left for ending, left in _covered(entitled, endings)}
    return held <= covered.get(grant, held)


def _covered(entitled: int, endings: Iterable[Ending]) -> Iterator[tuple[Ending, int]]:
    """Each grant that is over, in the order in which they take back, with what all others still cover by then."""
    order = sorted(endings, key=lambda ending: (ending.deadline, ending.grant))
    left = entitled + sum(ending.amount for ending in order)
    for ending in order:
        left -= ending.amount
        yield ending, left


def shortfall(entitled: int, wants: Iterable[Want[K]]) -> int:
    """What grants have to add for all clusters to have what they ask for: the amount of the request that they make.

    What is granted and not in use, or still on its way back from another cluster, is not asked for again.
    """
    return max(0, sum(want.asked for want in wants) - entitled)


def _whole(entitled: int, kept: dict[K, int], more: int) -> bool:
    return sum(kept.values()) + more <= entitled
