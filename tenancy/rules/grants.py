"""The life of a grant. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenancy.grant_enums import GrantPhase

if TYPE_CHECKING:
    from datetime import date

REMIND_DAYS: Final = (7, 3, 1)
"""Days before its end on which a tenant is told that a grant ends."""


@dataclass(frozen=True)
class Course:
    """What decides where a grant is in its life."""

    starts_on: date
    ends_on: date
    activated: bool
    ended: bool
    closed: bool


def phase(course: Course, today: date) -> GrantPhase:
    """Where it is; a grant that is over and whose devices are not back is reclaiming."""
    if course.closed:
        return GrantPhase.RECLAIMED
    if course.ended or today >= course.ends_on:
        return GrantPhase.RECLAIMING
    if not course.activated:
        return GrantPhase.PENDING
    soon = (course.ends_on - today).days <= max(REMIND_DAYS)
    return GrantPhase.EXPIRING if soon else GrantPhase.ACTIVE


def reminder(ends_on: date, today: date, told: int | None) -> int | None:
    """The days before the end to remind of now; ``None`` when that was told, or it is too early.

    After a pause of Atoll the most urgent one is told, and only that.
    """
    left = (ends_on - today).days
    due = [days for days in REMIND_DAYS if left <= days]
    if not due or left <= 0 or (told is not None and told <= min(due)):
        return None
    return min(due)
